package commands_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"tokentube/e2e/testsite"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/archive"
)

// deleteWhileHeld deletes the account and waits until only its files are left.
func deleteWhileHeld(t *testing.T, site *testsite.Site, name string, c *testsite.Client) {
	t.Helper()
	c.JSON("DELETE", "/api/v1/users/me", testsite.M{"password": testsite.Password}).Status(200)
	for range 1000 {
		err := site.Users.Check(t.Context(), &models.User{Username: name, Email: name + "@example.com", FullName: name})
		if !apperr.Is(err, apperr.Conflict) {
			check(t, err)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s is still there", name)
}

// Files that are deleted while a backup is being made are still in it.
func TestBackupHasTheFilesThatItsDatabaseNames(t *testing.T) {
	t.Setenv("MONGODB_URI", "")
	site := testsite.New(t)
	alice := site.User("alice")
	upload(t, alice)
	release := site.Media.Hold()
	snapshot, err := site.DB.Snapshot(t.Context(), t.TempDir())
	check(t, err)
	deleteWhileHeld(t, site, "alice", alice)
	var out bytes.Buffer
	check(t, archive.Write(t.Context(), &out, archive.Contents{Database: snapshot, Media: site.Media, Made: site.Now()}))
	release()
	site.DB.WaitRemovals()
	if n := strings.Count(out.String(), "media/p"); n < 2 {
		t.Errorf("%d media files are in the backup", n)
	}
	if left := tree(t, site.Config.MediaDir()); len(left) > 0 {
		t.Errorf("%d files are left after the release", len(left))
	}
}

// If the process ends while a backup holds files, those deleted or replaced in the meantime are removed at the next
// start.
func TestFilesDeletedDuringABackupGoAtTheNextStart(t *testing.T) {
	cfg := testsite.Config(t)
	site := testsite.Start(t, cfg)
	alice, bob := site.User("alice"), site.User("bob")
	upload(t, alice)
	before := tree(t, cfg.MediaDir())
	site.Media.Hold()
	deleteWhileHeld(t, site, "alice", alice)
	bob.Upload("PATCH", "/api/v1/users/update-user-avatar", nil, testsite.File{Field: "avatar", Name: "a.png", Content: drawing(t)}).Status(200)
	during := tree(t, cfg.MediaDir())
	for name := range before {
		if _, there := during[name]; !there {
			t.Errorf("%s went while it was held", name)
		}
	}
	site.Close()

	again := testsite.Start(t, cfg)
	again.DB.WaitRemovals()
	left := tree(t, cfg.MediaDir())
	for name := range before {
		if _, there := left[name]; there {
			t.Errorf("%s is left", name)
		}
	}
	if len(left) != 1 {
		t.Errorf("%d files are left: bob has one picture", len(left))
	}
	again.Close()
	done(t, cfg, []string{"repair"}, "Nothing needed repair.")
}
