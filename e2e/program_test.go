package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

// env are the environment variables of a process. It gets no others.
type env map[string]string

func (e env) with(more env) env {
	all := maps.Clone(e)
	maps.Copy(all, more)
	return all
}

// binary is the path of the program.
type binary string

// command prepares to run the program in an empty folder.
func (b binary) command(t *testing.T, variables env, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, string(b), args...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{}
	for name, value := range variables {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// fails runs the program and returns its output. It must end with status 1, 2 if the arguments were wrong, or 78 if the
// configuration was.
func (b binary) fails(t *testing.T, variables env, args ...string) string {
	t.Helper()
	out, err := b.command(t, variables, args...).CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !slices.Contains([]int{1, 2, 78}, exit.ExitCode()) {
		t.Fatalf("it ended with %v, want status 1, 2 or 78: %s", err, out)
	}
	return string(out)
}

// process is the program while it is serving.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  output
	base string
}

// output is what a process has printed so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *output) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (p *process) printed() string {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	return p.out.text.String()
}

func (b binary) start(t *testing.T, variables env) *process {
	t.Helper()
	p := &process{t: t, cmd: b.command(t, variables), base: "http://localhost:" + variables["PORT"]}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	check(t, p.cmd.Start())
	return p
}

// ready waits until the process responds.
func (p *process) ready() {
	p.t.Helper()
	client := http.Client{Timeout: time.Second}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		answer, err := client.Get(p.base + "/healthz")
		if err != nil {
			continue
		}
		check(p.t, answer.Body.Close())
		if answer.StatusCode == http.StatusOK {
			return
		}
	}
	p.t.Fatalf("it does not answer: %s", p.printed())
}

// stop asks the process to end, which it must do with status 0.
func (p *process) stop() {
	p.t.Helper()
	check(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("it ended with %v: %s", err, p.printed())
	}
}

// get opens a path. A page takes well under a second.
func (p *process) get(path string, want int) string {
	p.t.Helper()
	start := time.Now()
	code, body := p.send(http.MethodGet, path, nil, nil)
	if code != want {
		p.t.Fatalf("%s answers %d %s", path, code, body)
	}
	if took := time.Since(start); took > time.Second {
		p.t.Errorf("%s took %v", path, took)
	}
	return body
}

func (p *process) register(name string) tokens {
	p.t.Helper()
	code, body := p.send(http.MethodPost, "/api/v1/users/register", testsite.M{
		"username": name, "email": name + "@example.com", "fullName": "The " + name, "password": testsite.Password,
	}, nil)
	if code != http.StatusCreated {
		p.t.Fatalf("register answers %d %s", code, body)
	}
	return p.logIn(name, testsite.Password)
}

// tokens are what a program that is no browser gets.
type tokens struct{ AccessToken, RefreshToken string }

func (p *process) logIn(name, password string) tokens {
	p.t.Helper()
	code, body := p.send(http.MethodPost, "/api/v1/users/login", testsite.M{"identifier": name, "password": password}, nil)
	var answer struct{ Data tokens }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || code != http.StatusOK || answer.Data.AccessToken == "" {
		p.t.Fatalf("login answers %d %s", code, body)
	}
	return answer.Data
}

// is checks whose token it is.
func (p *process) is(name string, with tokens) {
	p.t.Helper()
	code, body := p.send(http.MethodGet, "/api/v1/users/get-current-user", nil, http.Header{"Authorization": {"Bearer " + with.AccessToken}})
	if code != http.StatusOK || !strings.Contains(body, `"username":"`+name+`"`) {
		p.t.Fatalf("the token of %s gets %d %s", name, code, body)
	}
}

func (p *process) send(method, path string, body any, header http.Header) (int, string) {
	p.t.Helper()
	var text []byte
	if body != nil {
		var err error
		text, err = json.Marshal(body)
		check(p.t, err)
	}
	r, err := http.NewRequest(method, p.base+path, bytes.NewReader(text))
	check(p.t, err)
	if header != nil {
		r.Header = header
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := (&http.Client{Timeout: patience}).Do(r)
	check(p.t, err)
	content, err := io.ReadAll(answer.Body)
	check(p.t, errors.Join(err, answer.Body.Close()))
	return answer.StatusCode, string(content)
}
