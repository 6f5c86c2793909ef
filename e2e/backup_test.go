package e2e_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tokentube/e2e/testsite"
)

// Each backup of a site that is being written to is consistent: after restoring it, repair finds nothing to fix.
func TestBackupOfARunningSite(t *testing.T) {
	b, settings := build(t), quiet(t, t.TempDir())
	p := b.start(t, settings)
	p.ready()
	c := newCrowd(t, p)
	c.picture = testsite.Picture(t)
	admin := p.register("keeper")
	p.stop()
	if out, err := b.command(t, settings, "admin", "add", "keeper").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p = b.start(t, settings)
	p.ready()
	n, leave := rounds(t, 10), c.begin()
	var backups []string
	for i := range n {
		if i == 0 {
			c.wait(50)
		}
		before := c.acknowledged.Load()
		backups = append(backups, p.backup(admin))
		c.wait(before + 20) // writing continues between two backups
	}
	leave()
	p.stop()
	posts, removals := 0, 0
	for _, file := range backups {
		data := t.TempDir()
		restored := settings.with(env{"DATA_DIR": data})
		if out, err := b.command(t, restored, "restore", file).CombinedOutput(); err != nil {
			t.Fatalf("restore: %v: %s", err, out)
		}
		s := readStored(t, data)
		posts, removals = posts+len(s["posts"]), removals+len(s["removals"])
		b.mends(t, restored)
		s = b.settled(t, restored)
		complain(t, "restored", slices.Concat(s.faults(), s.lostFiles(t, data)))
		b.mends(t, restored)
		if t.Failed() {
			t.FailNow()
		}
	}
	s := b.settled(t, settings)
	p = b.start(t, settings)
	p.ready()
	files := c.show(s)
	p.stop()
	complain(t, "the site itself", slices.Concat(s.faults(), c.compare(s), s.lostFiles(t, settings["DATA_DIR"]), s.strayFiles(t, settings["DATA_DIR"])))
	t.Logf("%d backups with %d posts and %d unfinished removals, %d changes acknowledged, %d files shown", n, posts, removals, c.acknowledged.Load(), files)
}

// backup downloads a backup.
func (p *process) backup(admin tokens) (path string) {
	p.t.Helper()
	r, err := http.NewRequest(http.MethodGet, p.base+"/api/v1/admin/backup", nil)
	check(p.t, err)
	r.Header.Set("Authorization", "Bearer "+admin.AccessToken)
	answer, err := (&http.Client{Timeout: patience}).Do(r)
	check(p.t, err)
	path = filepath.Join(p.t.TempDir(), "site.tar")
	file, err := os.Create(path)
	check(p.t, err)
	_, err = io.Copy(file, answer.Body)
	if err = errors.Join(err, file.Close(), answer.Body.Close()); err != nil {
		p.t.Fatalf("the backup: %v\n%s", err, p.printed())
	}
	if answer.StatusCode != http.StatusOK {
		text, _ := os.ReadFile(path)
		p.t.Fatalf("the backup: %d %s", answer.StatusCode, text)
	}
	return path
}
