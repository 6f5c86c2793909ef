package commands_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tokentube/commands"
	"tokentube/config"
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
			n++ // padding of the tar file has no meaning
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
	try("a few bytes that unpack to many", sparse(t), `"tokentube.db" does not belong in it`)
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

// sparse is a small archive whose database has a hole of 800 MB, as written by GNU tar (format 0.1). The package that
// we read with can't write one: it is given placeholder names for the records, as long as the real ones.
func sparse(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	w, head := tar.NewWriter(&out), `{"tokentubeBackup":1}`
	check(t, w.WriteHeader(&tar.Header{Name: "tokentube-backup.json", Typeflag: tar.TypeReg, Size: int64(len(head))}))
	_, err := w.Write([]byte(head))
	check(t, err)
	check(t, w.WriteHeader(&tar.Header{Name: "tokentube.db", Typeflag: tar.TypeReg, Size: 1, PAXRecords: map[string]string{
		"VENDOR.12345678": "800000000", "VENDOR.1234567890123": "1", "VENDOR.1234567": "0,1",
	}}))
	_, err = w.Write([]byte("x"))
	check(t, errors.Join(err, w.Close()))
	made := out.Bytes()
	for ours, real := range map[string]string{
		"VENDOR.12345678=": "GNU.sparse.size=", "VENDOR.1234567890123=": "GNU.sparse.numblocks=", "VENDOR.1234567=": "GNU.sparse.map=",
	} {
		if !bytes.Contains(made, []byte(ours)) || len(ours) != len(real) {
			t.Fatalf("%s is not in it", ours)
		}
		made = bytes.ReplaceAll(made, []byte(ours), []byte(real))
	}
	r := tar.NewReader(bytes.NewReader(made))
	_, err = r.Next()
	check(t, err)
	if entry, err := r.Next(); err != nil || entry.Size != 800_000_000 {
		t.Fatalf("it is no sparse archive: %+v, %v", entry, err)
	}
	return made
}

// The parts of a restored site are moved to their places one after another. Wherever a kill interrupts that, the site
// doesn't start with half of each, and the same command completes it.
func TestRestoreCutOffIsFinished(t *testing.T) {
	for moves := range 5 {
		t.Run(fmt.Sprint(moves), func(t *testing.T) {
			path, other := overAnother(t)
			check(t, os.MkdirAll(filepath.Join(other.DataDir, "restoring", "junk"), 0o700)) // left by an earlier killed restore
			check(t, commands.RestoreKilled(t.Context(), other, path, "kept", moves))
			refused(t, other, []string{"admin", "list"}, "a restore was cut off", `"restore"`)
			refused(t, other, []string{"backup", path + "2"}, "a restore was cut off")
			done(t, other, []string{"restore", path}, "is finished now")
			hasAliceAndHerPhoto(t, other)
			hasCarol(t, filepath.Join(other.DataDir, "kept"), other)
		})
	}
}

// Whatever keeps a part from being moved doesn't go away by itself: everything is moved back, and the old site starts.
func TestRestoreThatCannotBeFinishedIsUndone(t *testing.T) {
	for _, part := range []string{"media/kept/private", "media/kept/public", "kept/tokentube.db"} {
		t.Run(part, func(t *testing.T) {
			path, other := overAnother(t)
			check(t, os.WriteFile(other.SecretsFile(), []byte("# the old secrets\n"), 0o600))
			before, obstacle := tree(t, other.DataDir), filepath.Join(other.DataDir, part)
			check(t, os.MkdirAll(obstacle, 0o700))
			err := commands.RestoreTo(t.Context(), other, path, "kept")
			if err == nil || !strings.Contains(err.Error(), "the site is what it was") {
				t.Fatalf("the restore says %v", err)
			}
			same(t, "the site", before, tree(t, other.DataDir))
			hasCarol(t, other.DataDir, other)
			done(t, other, []string{"restore", "--force", path}, "Restored")
			hasAliceAndHerPhoto(t, other)
		})
	}
}

// overAnother is a backup of alice's site, and carol's stopped site to restore it onto.
func overAnother(t *testing.T) (path string, other config.Config) {
	t.Helper()
	cfg := embedded(t)
	path = filepath.Join(t.TempDir(), "site.tar")
	done(t, cfg, []string{"backup", path})
	other = elsewhere(t, cfg)
	first := testsite.Start(t, other)
	upload(t, first.User("carol"))
	first.Close()
	return path, other
}

func hasCarol(t *testing.T, dataDir string, cfg config.Config) {
	t.Helper()
	cfg.DataDir = dataDir
	site := testsite.Start(t, cfg)
	site.SignIn("carol")
	site.Close()
}

// The backup doesn't contain what was ended since: a stolen token that was ended by a password change must not become
// valid again, and nobody is told that their token was stolen because it was renewed since.
func TestRestoreEndsEverySession(t *testing.T) {
	cfg := embedded(t)
	site := testsite.Start(t, cfg)
	thief := site.SignIn("alice")
	site.Close()
	path := filepath.Join(t.TempDir(), "site.tar")
	done(t, cfg, []string{"backup", path})
	done(t, cfg, []string{"restore", "--force", path}, "Everyone must log in again")
	site = testsite.Start(t, cfg)
	thief.CopyTo(site).JSON("GET", "/api/v1/users/get-current-user", nil).Status(401)
	alice := site.SignIn("alice")
	if page := alice.Get("/settings/security").Status(200).Has("restored from a backup"); strings.Contains(page.Body, "thief") {
		t.Error("she is told of a theft")
	}
	alice.Get("/settings/sessions").Status(200)
}

// A database that cannot even be opened is a reason to restore.
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
