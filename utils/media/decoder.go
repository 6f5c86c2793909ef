package media

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"tokentube/utils/apperr"
)

// A decoder makes pictures of uploads in processes of their own, each an instance of this program that does nothing else.
//
// Decoders are written for honest files. A few bytes can make one take gigabytes or hours, in ways that no look at the
// header tells, and a function cannot be stopped from outside. A process can: when its client has gone, when its time is
// over, and by itself when it holds more memory than the picture's header accounts for. All that it held is free then. A
// fault in a library is the end of one upload, in a process that knows no secret and has no file open.
type decoder struct {
	light, heavy lane
	time         time.Duration
}

const (
	lightCost = 64 << 20
	// What a decoder process takes beside the decoded picture: the program, the pictures it makes, their files.
	workingMemory = 128 << 20

	lightSlots = 2
	heavySlots = 1
	// So many may wait for each place, and so long.
	waitingForSlot = 16
	patience       = time.Minute
	// However busy the machine is.
	longestDecode = 2 * time.Minute
)

func newDecoder(time time.Duration) *decoder {
	return &decoder{light: newLane(lightSlots), heavy: newLane(heavySlots), time: time}
}

// lane is a queue for places. Most pictures are light. They have places of their own, so that none of them waits behind a
// large one.
type lane struct {
	slots *semaphore.Weighted
	most  int64 // at work and waiting together
	count *atomic.Int64
}

func newLane(slots int64) lane {
	return lane{semaphore.NewWeighted(slots), slots * (1 + waitingForSlot), new(atomic.Int64)}
}

// enter waits for a place. Whoever has one gives it back with leave.
func (l lane) enter(ctx context.Context) (leave func(), err error) {
	if l.count.Add(1) > l.most {
		l.count.Add(-1)
		return nil, tooBusy(errors.New("the queue of pictures is full"))
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := l.slots.Acquire(limited, 1); err != nil {
		l.count.Add(-1)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("wait for a decoder: %w", ctx.Err())
		}
		return nil, tooBusy(err)
	}
	return func() {
		l.slots.Release(1)
		l.count.Add(-1)
	}, nil
}

func tooBusy(cause error) error {
	e := apperr.New(apperr.Unavailable, "Too many pictures are being opened at the moment. Please try again.").Because(cause)
	e.RetryAfter = patience
	return e
}

// run makes the shapes of an upload and hands them on, in their order. When it returns, the process is gone.
func (d *decoder) run(ctx context.Context, p *Picture, shapes []shape, take func(made, io.Reader) error) error {
	l := d.light
	if p.cost > lightCost {
		l = d.heavy
	}
	leave, err := l.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return d.decode(ctx, p, shapes, take)
}

func (d *decoder) decode(ctx context.Context, p *Picture, shapes []shape, take func(made, io.Reader) error) error {
	running, kill := context.WithCancel(ctx)
	defer kill()
	cmd, err := decoderCommand(running, job{Shapes: shapes, Memory: p.cost + workingMemory, Time: d.time})
	if err != nil {
		return err
	}
	cmd.Stdin = bytes.NewReader(p.data)
	output, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start a decoder: %w", err)
	}
	// The process looks at its own clock, unless a fault keeps it from that.
	clock := time.AfterFunc(longestDecode, kill)
	content := bufio.NewReader(output)
	line, readErr := content.ReadBytes('\n')
	inTime := clock.Stop()
	err = readErr
	if err == nil {
		err = takeAll(p.field, line, content, take)
	}
	kill() // it has nothing more to do
	ended := cmd.Wait()
	if readErr == nil {
		return err
	}
	return failed(ctx, p.field, inTime, ended)
}

// takeAll reads what the process says, and hands on what it made.
func takeAll(field string, line []byte, content io.Reader, take func(made, io.Reader) error) error {
	var said report
	if err := json.Unmarshal(line, &said); err != nil {
		return fmt.Errorf("a decoder's report: %w", err)
	}
	if said.Fault != "" {
		return said.refusal(field)
	}
	for _, m := range said.Made {
		if err := take(m, content); err != nil {
			return err
		}
	}
	return nil
}

// failed says why a process ended without a report.
func failed(ctx context.Context, field string, inTime bool, ended error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("decode the %s: %w", field, ctx.Err())
	}
	var exit *exec.ExitError
	if !inTime || errors.As(ended, &exit) && exit.ExitCode() == overBudget {
		return tooExpensive().Because(ended)
	}
	return damagedPicture(field, fmt.Errorf("the decoder broke down: %w", ended))
}

// jobVariable makes the program a decoder. It is all of its environment: it has no need of our keys.
const jobVariable = "TOKENTUBE_DECODER_JOB"

func decoderCommand(ctx context.Context, j job) (*exec.Cmd, error) {
	program := "/proc/self/exe" // stays right when the file was replaced by a newer version
	if runtime.GOOS != "linux" {
		own, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find a decoder: %w", err)
		}
		program = own
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program) // #nosec G204 -- this program itself
	cmd.Env = []string{jobVariable + "=" + string(text), "GOMAXPROCS=1"}
	cmd.WaitDelay = 5 * time.Second
	return cmd, nil
}
