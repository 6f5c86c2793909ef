package e2e_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tokentube/e2e/ports"
)

// secrets are used by processes that are not given any.
var secrets = env{
	"ACCESS_TOKEN_SECRET":  "access secret of the processes 0123456789 abcdef",
	"REFRESH_TOKEN_SECRET": "refresh secret of the processes 0123456789 abcdef",
}

// TestProcess runs the program itself, like a person at a terminal.
func TestProcess(t *testing.T) {
	program := build(t)
	t.Run("serves and stops", program.servesAndStops)
	t.Run("drains", program.drains)
	t.Run("refuses what cannot work", program.refuses)
	t.Run("explains itself", program.explains)
	t.Run("has the data file alone", program.hasItsDataAlone)
	t.Run("seeds", program.seeds)
	t.Run("two on a MongoDB server", program.shareMongoDB)
}

func (b binary) servesAndStops(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	settings := env{"DATA_DIR": data, "PORT": freePort(t)}
	p := b.start(t, settings)
	p.ready()
	if want := "Tokentube is at http://localhost:" + settings["PORT"]; !strings.Contains(p.printed(), want) {
		t.Errorf("it printed %q, without %q", p.printed(), want)
	}
	p.get("/", http.StatusOK)
	p.get("/readyz", http.StatusOK)
	login := p.register("alice")
	p.stop()

	info, err := os.Stat(filepath.Join(data, "secrets.env"))
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the secrets: %v", info.Mode())
	}
	again := b.start(t, settings)
	again.ready()
	again.is("alice", login) // the login survives the process
	again.stop()
}

// A draining process tells load balancers immediately, and serves everybody until they have noticed.
func (b binary) drains(t *testing.T) {
	p := b.start(t, env{"PORT": freePort(t), "BCRYPT_COST": "4", "DRAIN_SECONDS": "3"})
	p.ready()
	p.get("/readyz", http.StatusOK)
	check(t, p.cmd.Process.Signal(syscall.SIGTERM))
	start := time.Now()
	for time.Since(start) < 2*time.Second {
		if code, _ := p.send(http.MethodGet, "/readyz", nil, nil); code == http.StatusServiceUnavailable {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.get("/readyz", http.StatusServiceUnavailable)
	p.is("alice", p.register("alice"))
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v: %s", err, p.printed())
	}
	if took := time.Since(start); took < 3*time.Second {
		t.Errorf("it ended after %v", took)
	}
}

func (b binary) refuses(t *testing.T) {
	taken, err := net.Listen("tcp", "localhost:0")
	check(t, err)
	defer func() { _ = taken.Close() }()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	check(t, err)
	for name, c := range map[string]struct {
		env  env
		args []string
		says []string
	}{
		"a port in use":      {env{"PORT": port}, nil, []string{"port " + port + " is in use"}},
		"faulty variables":   {env{"PORT": "http", "ACCESS_TOKEN_EXPIRY": "15"}, nil, []string{"PORT must be", "ACCESS_TOKEN_EXPIRY must be"}},
		"a short secret":     {env{"ACCESS_TOKEN_SECRET": "short", "REFRESH_TOKEN_SECRET": secrets["REFRESH_TOKEN_SECRET"]}, nil, []string{"ACCESS_TOKEN_SECRET must be"}},
		"no secrets":         {env{"APP_ENV": "production"}, nil, []string{"ACCESS_TOKEN_SECRET=", "REFRESH_TOKEN_SECRET="}},
		"an unknown command": {env{}, []string{"sow"}, []string{"sow", "seed"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.env["DATA_DIR"] = t.TempDir()
			out := b.fails(t, c.env, c.args...)
			for _, text := range c.says {
				if !strings.Contains(out, text) {
					t.Errorf("it says %q, without %q", out, text)
				}
			}
			if strings.Contains(out, "Tokentube is at") {
				t.Errorf("it gave an address all the same: %s", out)
			}
		})
	}
}

// explains needs no valid settings, and opens nothing.
func (b binary) explains(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	for _, args := range [][]string{{"help"}, {"--help"}, {"help", "backup"}, {"backup", "--help"}} {
		out, err := b.command(t, env{"PORT": "http", "DATA_DIR": data}, args...).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Usage: tokentube") || !strings.Contains(string(out), "backup") {
			t.Errorf("%q: %v, %s", args, err, out)
		}
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("it made the data folder: %v", err)
	}
}

func (b binary) hasItsDataAlone(t *testing.T) {
	data := t.TempDir()
	first := b.start(t, env{"DATA_DIR": data, "PORT": freePort(t)})
	first.ready()
	if out := b.fails(t, env{"DATA_DIR": data, "PORT": freePort(t)}); !strings.Contains(out, "in use by another process") {
		t.Errorf("the second process says %q", out)
	}
	first.get("/", http.StatusOK)
	first.stop()
}

func (b binary) seeds(t *testing.T) {
	settings := env{"DATA_DIR": t.TempDir(), "PORT": freePort(t), "BCRYPT_COST": "4"}
	out, err := b.command(t, settings, "seed").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	login := regexp.MustCompile(`Log in as (\S+) with the password (\S+)`).FindStringSubmatch(string(out))
	if login == nil {
		t.Fatalf("it does not say how to log in: %s", out)
	}
	p := b.start(t, settings)
	p.ready()
	for _, page := range []string{"/watch/", "/photos/", "/posts/"} {
		if home := p.get("/", http.StatusOK); !strings.Contains(home, `href="`+page) {
			t.Errorf("the first page shows nothing of %s", page)
		}
	}
	p.is(login[1], p.logIn(login[1], login[2]))
	p.stop()
	out, err = b.command(t, settings, "repair").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "Nothing needed repair." { // and no warning that it read everything
		t.Errorf("repair: %v, %s", err, out)
	}
	out, err = b.command(t, settings, "seed").CombinedOutput()
	again := regexp.MustCompile(`already there.* Log in as (\S+) with the password (\S+)`).FindStringSubmatch(string(out))
	if err != nil || again == nil || again[1] != login[1] || again[2] == login[2] {
		t.Errorf("the second time it says %q, %v", out, err)
	}
}

// build compiles the program.
func build(t *testing.T) binary {
	t.Helper()
	return buildIn(t, ".")
}

// buildIn compiles the program from the tree that contains the folder.
func buildIn(t *testing.T, folder string) binary {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokentube")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-o", path, "tokentube")
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return binary(path)
}

func freePort(t *testing.T) string { return strconv.Itoa(ports.Free(t)) }
