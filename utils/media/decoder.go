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
	"time"

	"tokentube/utils/apperr"
	"tokentube/utils/fair"
)

// A decoder processes uploaded pictures in separate processes, each an instance of this program that does nothing else.
//
// Decoders are written for honest files. A few bytes can make one use gigabytes or hours, in ways that the header
// doesn't reveal, and a function cannot be stopped from outside. A process can: when its client disconnects, when its
// time is up, and by itself when it uses more memory than the picture's header accounts for. All its memory is free
// then. A bug in a library ends a single upload, in a process that knows no secrets and has no files open.
type decoder struct {
	light, heavy *fair.Places
	time         time.Duration
}

const (
	lightCost = 64 << 20
	// What a decoder process needs besides the decoded picture: the program, the resulting pictures and their files.
	workingMemory = 128 << 20

	lightSlots = 2
	heavySlots = 1
	// How many may wait for each place, and how long.
	waitingForSlot = 16
	patience       = time.Minute
	// However busy the machine is.
	longestDecode = 2 * time.Minute
)

func newDecoder(time time.Duration) *decoder {
	return &decoder{
		light: fair.New(lightSlots, lightSlots*waitingForSlot),
		heavy: fair.New(heavySlots, heavySlots*waitingForSlot),
		time:  time,
	}
}

func (p *Picture) light() bool { return p.cost <= lightCost }

// enter waits for a place. Most pictures are light. They have separate places, so that none of them waits behind a
// large one; and nobody gets more than their share, however many they send.
func (d *decoder) enter(ctx context.Context, p *Picture) (leave func(), err error) {
	places := d.heavy
	if p.light() {
		places = d.light
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	leave, err = places.Take(limited, p.of...)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("wait for a decoder: %w", ctx.Err())
	}
	if err != nil {
		return nil, tooBusy(err)
	}
	return leave, nil
}

func tooBusy(cause error) error {
	return apperr.Crowd(patience, "The site is processing too many pictures right now. Try again in a moment.").Because(cause)
}

// run makes the shapes of an upload and passes them on, in order. When it returns, the process has ended.
func (d *decoder) run(ctx context.Context, p *Picture, shapes []shape, take func(made, io.Reader) error) error {
	leave, err := d.enter(ctx, p)
	if err != nil {
		return err
	}
	defer leave()
	return d.decode(ctx, p, shapes, take)
}

func (d *decoder) decode(ctx context.Context, p *Picture, shapes []shape, take func(made, io.Reader) error) error {
	running, kill := context.WithCancel(ctx)
	defer kill()
	j := job{Shapes: shapes, Memory: p.cost + workingMemory, Time: d.time}
	if p.light() {
		j.Time /= 3
	}
	cmd, err := decoderCommand(running, j)
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
	// The process checks its own time, unless a bug prevents that.
	clock := time.AfterFunc(longestDecode, kill)
	content := bufio.NewReader(output)
	line, readErr := content.ReadBytes('\n')
	inTime := clock.Stop()
	err = readErr
	if err == nil {
		err = takeAll(p.field, line, content, take)
	}
	kill() // it has nothing left to do
	ended := cmd.Wait()
	if readErr == nil {
		return err
	}
	return failed(ctx, p.field, inTime, ended)
}

// takeAll reads the process's report, and passes on the resulting pictures.
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

// failed explains why a process ended without a report.
func failed(ctx context.Context, field string, inTime bool, ended error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("decode the %s: %w", field, ctx.Err())
	}
	var exit *exec.ExitError
	// Killed by a signal, which it doesn't send itself: the system had no memory left for it.
	const signalled = -1
	if !inTime || errors.As(ended, &exit) && (exit.ExitCode() == overBudget || exit.ExitCode() == signalled) {
		return tooExpensive().Because(ended)
	}
	return damagedPicture(field, fmt.Errorf("the decoder broke down: %w", ended))
}

// jobVariable turns the program into a decoder. It is its whole environment: a decoder doesn't need our keys.
const jobVariable = "TOKENTUBE_DECODER_JOB"

func decoderCommand(ctx context.Context, j job) (*exec.Cmd, error) {
	program := "/proc/self/exe" // remains valid if the file is replaced by a newer version
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
