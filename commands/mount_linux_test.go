package commands_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

const mountsAt = "COMMANDS_TEST_MOUNTS"

// mayMount runs the rest of the test in a separate process in which it is root enough to mount. It returns true there.
func mayMount(t *testing.T) bool {
	t.Helper()
	if os.Getenv(mountsAt) != "" {
		return true
	}
	program, err := os.Executable()
	check(t, err)
	c := exec.Command(program, "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), mountsAt+"=1")
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := c.CombinedOutput()
	switch {
	case c.Process == nil:
		t.Skipf("user namespaces are not allowed here: %v", err)
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("%s", out)
	}
	return false
}

// mount mounts until the test ends.
func mount(t *testing.T, from, at, kind string, flags uintptr, options string) {
	t.Helper()
	check(t, os.MkdirAll(at, 0o700))
	if err := syscall.Mount(from, at, kind, flags, options); err != nil {
		t.Skipf("%s cannot be mounted here: %v", at, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(at, syscall.MNT_DETACH) })
}

func tmpfs(t *testing.T, at, options string) { t.Helper(); mount(t, "tmpfs", at, "tmpfs", 0, options) }

// bind makes a folder appear in a second place, like a Docker volume.
func bind(t *testing.T, from, at string, flags uintptr) {
	t.Helper()
	mount(t, from, at, "", syscall.MS_BIND, "")
	if flags != 0 {
		if err := syscall.Mount("", at, "", syscall.MS_BIND|syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Skipf("%s cannot be mounted read-only here: %v", at, err)
		}
	}
}

// A media folder that is a mount point cannot be renamed. Its files are replaced nevertheless, and the old ones kept.
func TestRestoreWhereMediaIsAMount(t *testing.T) {
	if !mayMount(t) {
		return
	}
	for name, mounted := range map[string]func(t *testing.T, at string){
		"a file system of its own": func(t *testing.T, at string) { tmpfs(t, at, "size=1m") },
		"a volume":                 func(t *testing.T, at string) { bind(t, t.TempDir(), at, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			path := backupOfAlice(t)
			other := carolAt(t, func(cfg config.Config) { mounted(t, cfg.MediaDir()) })
			out := done(t, other, []string{"restore", "--force", path}, "What was there before is in")
			hasAliceAndHerPhoto(t, other)
			kept, err := filepath.Glob(filepath.Join(other.MediaDir(), "before-restore-*", "private", "*"))
			if err != nil || len(kept) == 0 || !strings.Contains(out, filepath.Dir(filepath.Dir(kept[0]))) {
				t.Errorf("carol's files are not kept, or nobody is told: %v, %s", kept, out)
			}
		})
	}
}

// Whatever prevents a restore, the old site is unchanged and starts.
func TestRestoreThatCannotWork(t *testing.T) {
	if !mayMount(t) {
		return
	}
	for name, c := range map[string]struct {
		before, during func(t *testing.T, cfg config.Config)
		says           string
	}{
		"media is read-only": {
			during: func(t *testing.T, cfg config.Config) { bind(t, cfg.MediaDir(), cfg.MediaDir(), syscall.MS_RDONLY) },
			says:   "nothing was changed",
		},
		"no room for media": {
			before: func(t *testing.T, cfg config.Config) { tmpfs(t, cfg.MediaDir(), "size=24k") },
			during: func(t *testing.T, cfg config.Config) { fillUp(t, cfg.MediaDir()) },
			says:   "nothing was changed",
		},
		"no room for the database": {
			before: func(t *testing.T, cfg config.Config) { tmpfs(t, cfg.DataDir, "size=8m") },
			during: func(t *testing.T, cfg config.Config) { fillUp(t, cfg.DataDir) },
			says:   "nothing was changed",
		},
		"a mount within media": {
			during: func(t *testing.T, cfg config.Config) {
				at := filepath.Join(cfg.MediaDir(), "private")
				bind(t, at, at, 0)
			},
			says: "the site is what it was",
		},
		"a data file that is a mount": {
			during: func(t *testing.T, cfg config.Config) {
				if err := syscall.Mount(cfg.DatabaseFile(), cfg.DatabaseFile(), "", syscall.MS_BIND, ""); err != nil {
					t.Skip(err)
				}
				t.Cleanup(func() { _ = syscall.Unmount(cfg.DatabaseFile(), syscall.MNT_DETACH) })
			},
			says: "the site is what it was",
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := backupOfAlice(t)
			other := carolAt(t, func(cfg config.Config) {
				if c.before != nil {
					c.before(t, cfg)
				}
			})
			c.during(t, other)
			before := tree(t, other.DataDir)
			refused(t, other, []string{"restore", "--force", path}, c.says)
			same(t, "the site", before, tree(t, other.DataDir))
			_ = os.Remove(filepath.Join(other.MediaDir(), "ballast"))
			_ = os.Remove(filepath.Join(other.DataDir, "ballast"))
			hasCarol(t, other.DataDir, other)
		})
	}
}

// Commands that only read work on a read-only mount; commands that write explain what to do.
func TestCommandsOnAReadOnlyMount(t *testing.T) {
	if !mayMount(t) {
		return
	}
	cfg := embedded(t)
	done(t, cfg, []string{"admin", "add", "alice"})
	bind(t, cfg.DataDir, cfg.DataDir, syscall.MS_RDONLY)
	path := filepath.Join(t.TempDir(), "site.tar")
	done(t, cfg, []string{"backup", path}, "the database, the media files and the secrets", "is whole")
	done(t, cfg, []string{"admin", "list"}, "alice")
	done(t, elsewhere(t, cfg), []string{"restore", path}, "Restored")
	for _, command := range [][]string{{"admin", "remove", "alice"}, {"repair"}, {"seed"}} {
		refused(t, cfg, command, "mounted for writing", "DATA_DIR", cfg.DataDir)
	}
	refused(t, cfg, []string{"compact"}, "mounted for writing")
	refused(t, cfg, []string{"restore", "--force", path}, "nothing was changed")
}

func backupOfAlice(t *testing.T) (path string) {
	t.Helper()
	cfg := embedded(t)
	path = filepath.Join(t.TempDir(), "site.tar")
	done(t, cfg, []string{"backup", path})
	return path
}

// carolAt is carol's stopped site, on what prepare has mounted.
func carolAt(t *testing.T, prepare func(config.Config)) config.Config {
	t.Helper()
	t.Setenv("MONGODB_URI", "")
	cfg := testsite.Config(t)
	prepare(cfg)
	site := testsite.Start(t, cfg)
	upload(t, site.User("carol"))
	site.Close()
	return cfg
}

func fillUp(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ballast"))
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk does not run full: %v", err)
	}
	check(t, f.Close())
}
