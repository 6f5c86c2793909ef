package commands_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"tokentube/commands"

	"tokentube/e2e/testsite"
	"tokentube/models"
)

func promote(t *testing.T, site *testsite.Site, name string) {
	t.Helper()
	u, err := site.Users.ByUsername(t.Context(), name)
	check(t, err)
	_, err = site.Users.SetRoles(t.Context(), u.ID, []string{models.Admin})
	check(t, err)
}

func TestRestoreChecksTheWholeFileFirst(t *testing.T) {
	cfg := embedded(t)
	good := filepath.Join(t.TempDir(), "site.tar")
	done(t, cfg, []string{"backup", good})
	content, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	before := tree(t, cfg.DataDir)
	bad := filepath.Join(t.TempDir(), "bad.tar")
	try := func(name string, content []byte, says string) {
		t.Helper()
		if err := os.WriteFile(bad, content, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, cfg, []string{"restore", bad, "--force"}, "nothing was changed", says)
	}
	for i := range 16 {
		n := len(content) * i / 16
		try("cut off", content[:n], "not a whole backup")
		flipped := bytes.Clone(content)
		for n < len(content) && flipped[n] == 0 {
			n++ // what fills up a block of the tar file means nothing
		}
		if n == len(content) {
			continue
		}
		flipped[n] ^= 1
		try("one bit", flipped, "")
	}
	try("the end is missing", content[:len(content)-3*512], "not a whole backup")
	try("something behind it", append(bytes.Clone(content[:len(content)-1024]), content...), "more behind its end")
	try("text", []byte("this is a letter and no backup, whatever it is called"), "not a whole backup")
	for _, name := range []string{"../../evil", "/etc/evil", "media/public/../../evil", "tokentube.db"} {
		try(name, tarOf(t, tar.Header{Name: name, Typeflag: tar.TypeReg}), "does not begin like one")
	}
	head := tar.Header{Name: "tokentube-backup.json", Typeflag: tar.TypeReg}
	try("a newer one", tarOf(t, head, `{"tokentubeBackup":2}`), "format 2")
	try("another one", tarOf(t, head, `{"something":"else"}`), "does not say its format")
	try("a link", tarOf(t, tar.Header{Name: head.Name, Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}), "does not begin like one")
	refused(t, cfg, []string{"restore", bad + ".none", "--force"}, "no such file")
	refused(t, cfg, []string{"restore", filepath.Dir(bad), "--force"}, "no ordinary file")
	refused(t, cfg, []string{"restore"}, "FILE is missing")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := runUnder(ended, t, cfg, "restore", good, "--force"); !errors.Is(err, context.Canceled) {
		t.Errorf("Ctrl-C: %v", err)
	}
	same(t, "the site", before, tree(t, cfg.DataDir))
}

func tarOf(t *testing.T, h tar.Header, content ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, text := range content {
		h.Size = int64(len(text))
	}
	if err := w.WriteHeader(&h); err != nil {
		t.Fatal(err)
	}
	for _, text := range content {
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The parts of a restored site are moved to their places one after the other.
// Wherever that is cut off, the site does not start with one half of each, and the
// same command finishes it.
func TestRestoreCutOffIsFinished(t *testing.T) {
	for _, part := range []string{"media", "tokentube.db"} {
		t.Run(part, func(t *testing.T) {
			cfg := embedded(t)
			path := filepath.Join(t.TempDir(), "site.tar")
			done(t, cfg, []string{"backup", path})
			other := elsewhere(t, cfg)
			first := testsite.Start(t, other)
			first.User("carol")
			first.Close()
			check(t, os.MkdirAll(filepath.Join(other.DataDir, "restoring", "junk"), 0o700)) // of one that was killed earlier
			obstacle := filepath.Join(other.DataDir, "kept", part)
			check(t, os.MkdirAll(obstacle, 0o700))
			if err := commands.RestoreTo(t.Context(), other, path, "kept"); err == nil {
				t.Fatal("it went past the obstacle")
			}
			refused(t, other, []string{"admin", "list"}, "a restore was cut off", `"restore"`)
			refused(t, other, []string{"backup", path + "2"}, "a restore was cut off")
			check(t, os.Remove(obstacle))
			done(t, other, []string{"restore", path}, "is finished now")
			hasAliceAndHerPhoto(t, other)
			old := other
			old.DataDir = filepath.Join(other.DataDir, "kept")
			testsite.Start(t, old).SignIn("carol")
		})
	}
}

// A database that cannot even be opened is what one restores for.
func TestRestoreOverADamagedSite(t *testing.T) {
	cfg := embedded(t)
	path := filepath.Join(t.TempDir(), "site.tar")
	done(t, cfg, []string{"backup", path})
	check(t, os.WriteFile(cfg.DatabaseFile(), []byte("garbage"), 0o600))
	refused(t, cfg, []string{"restore", path}, "there is a site")
	done(t, cfg, []string{"restore", path, "--force"}, "Restored")
	hasAliceAndHerPhoto(t, cfg)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
