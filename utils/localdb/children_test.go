package localdb

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// A test that needs a separate process, to kill it or to take something away from it, starts this same binary again
// with a role.
const roleOf, fileOf = "LOCALDB_ROLE", "LOCALDB_FILE"

var roles = map[string]func(path string) error{"crash": writeUntilKilled, "open": openAndClose}

func TestMain(m *testing.M) {
	if role := roles[os.Getenv(roleOf)]; role != nil {
		if err := role(os.Getenv(fileOf)); err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if err := dropBuilt(); err != nil {
		fmt.Println(err)
	}
	os.Exit(code)
}

func openAndClose(path string) error {
	db, err := Open(path)
	if err != nil {
		return err
	}
	return db.Close()
}

func child(t *testing.T, role, path string, env ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	ok(t, err)
	c := exec.Command(program)
	c.Env = append(append(os.Environ(), roleOf+"="+role, fileOf+"="+path), env...)
	return c
}
