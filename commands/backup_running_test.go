package commands_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tokentube/commands"
	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/utils/archive"
)

// serving starts a site as the program does, including its socket for backups.
func serving(t *testing.T, cfg config.Config, log io.Writer) *testsite.Site {
	t.Helper()
	site := testsite.Start(t, cfg)
	data := commands.Data{Site: site.Data.Site, Media: site.Media, Log: slog.New(slog.NewTextHandler(log, nil))}
	data.ServeBackups(cfg)
	return site
}

func TestBackupOfTheRunningSite(t *testing.T) {
	cfg := embedded(t)
	socket := filepath.Join(cfg.DataDir, "backup.sock")
	check(t, os.WriteFile(socket, nil, 0o600)) // left by a killed process
	site := serving(t, cfg, io.Discard)
	if info, err := os.Stat(socket); err != nil || info.Mode()&os.ModeSocket == 0 || info.Mode().Perm() != 0o600 {
		t.Fatalf("others may open the socket: %v, %v", info, err)
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "site.tar")
	done(t, cfg, []string{"backup", path}, "Wrote "+path, "the database, the media files and the secrets", "is whole")
	done(t, cfg, []string{"backup", path, "--force"}, "Wrote "+path)
	refused(t, cfg, []string{"backup", path}, "exists already")
	if left := len(tree(t, folder)); left != 1 {
		t.Errorf("%d files beside the backup", left-1)
	}
	for name := range tree(t, cfg.MediaDir()) {
		if strings.HasSuffix(name, ".tmp") {
			t.Errorf("%s is left", name)
		}
	}
	site.SignIn("alice") // it keeps serving
	site.Close()
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the stopped site leaves its socket")
	}
	other := elsewhere(t, cfg)
	done(t, other, []string{"restore", path}, "Restored the site")
	if got, err := os.ReadFile(other.SecretsFile()); err != nil || string(got) != "# the secrets\n" {
		t.Errorf("the secrets are %q, %v", got, err)
	}
	hasAliceAndHerPhoto(t, other)
}

// A reader that disconnects halfway doesn't keep others from making a backup, and stopping the site doesn't wait for
// one that reads nothing.
func TestBackupReadersThatStop(t *testing.T) {
	cfg := embedded(t)
	site := serving(t, cfg, io.Discard)
	socket := filepath.Join(cfg.DataDir, "backup.sock")
	open := func() net.Conn {
		c, err := net.Dial("unix", socket)
		check(t, err)
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	gone := open()
	_, err := io.ReadFull(gone, make([]byte, 1000))
	check(t, errors.Join(err, gone.Close()))
	done(t, cfg, []string{"backup", filepath.Join(t.TempDir(), "site.tar")}, "is whole")
	stalled := open()
	first := make([]byte, 1)
	_, err = io.ReadFull(stalled, first)
	check(t, err)
	closed := make(chan struct{})
	go func() { site.Close(); close(closed) }()
	select {
	case <-closed:
	case <-time.After(time.Minute - 10*time.Second):
		t.Fatal("the site waits for a reader that does not read")
	}
	if _, err := archive.Verify(t.Context(), io.MultiReader(bytes.NewReader(first), stalled)); err == nil {
		t.Error("a backup that was cut off is taken for a whole one")
	}
}

// A backup that the site cannot make fails, and nothing of it is left.
func TestBackupThatTheRunningSiteCannotMake(t *testing.T) {
	cfg := embedded(t)
	var log bytes.Buffer // read once the site is closed
	site := serving(t, cfg, &log)
	check(t, os.Remove(cfg.SecretsFile()))
	check(t, os.Mkdir(cfg.SecretsFile(), 0o700)) // it cannot be read as a file
	folder := t.TempDir()
	refused(t, cfg, []string{"backup", filepath.Join(folder, "site.tar")}, "could not be written")
	if left := tree(t, folder); len(left) > 0 {
		t.Errorf("left: %d files", len(left))
	}
	site.Close()
	if !strings.Contains(log.String(), "a backup was cut off") {
		t.Errorf("the log says %q", log.String())
	}
}

func TestBackupsReplaceEachOther(t *testing.T) {
	cfg := embedded(t)
	folder := t.TempDir()
	old := time.Now().Add(-25 * time.Hour)
	others := []string{"notes.txt", "tokentube-2020-01-01.tar", "tokentube-2020-01-01-000000.tar.gpg", "my-tokentube-2020-01-01-000000.tar", ".tokentube-2026-01-01-000000.tar-1.tmp"}
	drafts := []string{".tokentube-2020-01-01-000000.tar-1.tmp"}
	before := []string{"tokentube-2020-01-01-000000.tar", "tokentube-2020-01-02-000000.tar", "tokentube-2021-01-01-000000.tar", "tokentube-2999-01-01-000000.tar"}
	for _, names := range [][]string{others, drafts, before} {
		for _, name := range names {
			check(t, os.WriteFile(filepath.Join(folder, name), []byte(name), 0o600))
		}
	}
	check(t, os.Chtimes(filepath.Join(folder, drafts[0]), old, old))
	check(t, os.Mkdir(filepath.Join(folder, "tokentube-2020-01-01-000001.tar"), 0o700))

	broken := elsewhere(t, cfg)
	check(t, os.MkdirAll(broken.DataDir, 0o700))
	refused(t, broken, []string{"backup", folder, "--keep", "1"}, "there is no site")
	if got := len(tree(t, folder)); got != len(others)+len(drafts)+len(before) {
		t.Errorf("a backup that failed leaves %d files", got)
	}

	out := done(t, cfg, []string{"backup", folder, "--keep", "3"}, "Wrote "+folder, "Deleted "+filepath.Join(folder, before[0]), "Deleted "+filepath.Join(folder, before[1]))
	made := strings.TrimPrefix(strings.Split(out, ",")[0], "Wrote ")
	left := tree(t, folder)
	for _, name := range append(others, before[2], before[3], filepath.Base(made)) {
		if _, is := left["/"+name]; !is {
			t.Errorf("%s is gone", name)
		}
	}
	if len(left) != len(others)+3 {
		t.Errorf("%d files are left, want %d", len(left), len(others)+3)
	}
	done(t, elsewhere(t, cfg), []string{"restore", made}, "Restored")
}
