package commands_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

// embedded is a stopped site on the embedded engine, with a photo of alice's and generated secrets.
func embedded(t *testing.T) config.Config {
	t.Helper()
	t.Setenv("MONGODB_URI", "")
	cfg := prepared(t, func(s *testsite.Site) { upload(t, s.SignIn("alice")) })
	if err := os.WriteFile(cfg.SecretsFile(), []byte("# the secrets\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func upload(t *testing.T, c *testsite.Client) {
	t.Helper()
	c.Upload("POST", "/api/v1/photos", map[string]string{"title": "a photo"},
		testsite.File{Field: "photo", Name: "a.png", Content: drawing(t)}).Status(201)
}

func drawing(t *testing.T) []byte {
	t.Helper()
	var picture bytes.Buffer
	check(t, png.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 1700, 32))))
	return picture.Bytes()
}

// elsewhere is the configuration of a site on another machine.
func elsewhere(t *testing.T, cfg config.Config) config.Config {
	t.Helper()
	cfg.DataDir = filepath.Join(t.TempDir(), "data")
	return cfg
}

// tree lists a folder's contents, including the contents of files.
func tree(t *testing.T, folder string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		found[strings.TrimPrefix(path, folder)] = string(content)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return found
}

func same(t *testing.T, what string, before, after map[string]string) {
	t.Helper()
	for name, content := range before {
		if after[name] != content {
			t.Errorf("%s: %s was changed", what, name)
		}
	}
	for name := range after {
		if _, known := before[name]; !known {
			t.Errorf("%s: %s is new", what, name)
		}
	}
}

// hasAliceAndHerPhoto checks a site through its own pages.
func hasAliceAndHerPhoto(t *testing.T, cfg config.Config) {
	t.Helper()
	site := testsite.Start(t, cfg)
	alice := site.SignIn("alice")
	alice.Get("/").Status(200).Has("hello from alice")
	file := regexp.MustCompile(`/media/posts/[0-9a-f]{24}`).FindString(alice.JSON("GET", "/api/v1/feed?kind=photo", nil).Status(200).Body)
	if file == "" {
		t.Fatal("the photo is gone")
	}
	alice.Get(file).Status(200)
	site.Close()
}

func TestBackupAndRestoreBringTheSiteBack(t *testing.T) {
	cfg := embedded(t)
	before := tree(t, cfg.DataDir)
	path := filepath.Join(t.TempDir(), "site.tar")
	done(t, cfg, []string{"backup", path}, "Wrote "+path, "the database, the media files and the secrets", "is whole")
	same(t, "the backed-up site", before, tree(t, cfg.DataDir))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the backup: %v, %v", info.Mode(), err)
	}
	if left := len(tree(t, filepath.Dir(path))); left != 1 {
		t.Errorf("%d files beside the backup", left-1)
	}

	other := elsewhere(t, cfg)
	done(t, other, []string{"restore", path}, "Restored the site")
	if got, err := os.ReadFile(other.SecretsFile()); err != nil || string(got) != "# the secrets\n" {
		t.Errorf("the secrets are %q, %v", got, err)
	}
	for name, content := range before {
		if strings.HasPrefix(name, "/media/") && tree(t, other.DataDir)[name] != content {
			t.Errorf("%s is not back", name)
		}
	}
	hasAliceAndHerPhoto(t, other)

	refused(t, other, []string{"restore", path}, "there is a site", "--force")
	second := testsite.Start(t, other)
	second.User("carol")
	second.Close()
	out := done(t, other, []string{"restore", "--force", path}, "What was there before is in ")
	aside := regexp.MustCompile(`is in (\S+)\.`).FindStringSubmatch(out)[1]
	hasAliceAndHerPhoto(t, other)
	old := other
	old.DataDir = aside
	testsite.Start(t, old).SignIn("carol") // nothing of the old site is lost
	for range 3 {                          // even within one second
		done(t, other, []string{"restore", "--force", path}, "What was there before is in ")
	}
}

func TestBackupRefusesWhatWouldGoWrong(t *testing.T) {
	cfg := embedded(t)
	folder := t.TempDir()
	path := filepath.Join(folder, "there.tar")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, cfg, []string{"backup", path}, "exists already", "--force")
	refused(t, cfg, []string{"backup", folder}, "is a folder")
	refused(t, cfg, []string{"backup", filepath.Join(folder, "none", "x.tar")}, "there is no folder "+filepath.Join(folder, "none"))
	refused(t, cfg, []string{"backup", filepath.Join(path, "x.tar")}, "not a directory")
	refused(t, cfg, []string{"backup"}, "FILE is missing")
	refused(t, cfg, []string{"backup", ""}, "FILE is empty")
	refused(t, cfg, []string{"backup", "a", "b"}, `"b" is too much`)
	refused(t, cfg, []string{"backup", "--quick", "a"}, "-quick")
	for _, keep := range []string{"0", "-1", "all", "", "1.5"} {
		refused(t, cfg, []string{"backup", folder, "--keep", keep}, "whole number from 1")
	}
	refused(t, cfg, []string{"backup", folder, "--keep", "2", "--force"}, "--force doesn't go with --keep")
	refused(t, cfg, []string{"backup", path, "--keep", "2"}, "there is no folder")
	refused(t, cfg, []string{"backup", filepath.Join(folder, "none"), "--keep", "2"}, "there is no folder")
	refused(t, elsewhere(t, cfg), []string{"backup", filepath.Join(folder, "x")}, "there is no site in")
	onMongo := cfg
	onMongo.MongoURI = "mongodb://127.0.0.1:1"
	refused(t, onMongo, []string{"backup", filepath.Join(folder, "x")}, "mongodump")
	refused(t, onMongo, []string{"restore", path}, "mongorestore")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := runUnder(ended, t, cfg, "backup", filepath.Join(folder, "x")); !errors.Is(err, context.Canceled) {
		t.Errorf("Ctrl-C: %v", err)
	}
	site := testsite.Start(t, cfg)
	refused(t, cfg, []string{"backup", filepath.Join(folder, "x")}, "the site is running", "/api/v1/admin/backup") // it has no socket
	check(t, os.WriteFile(filepath.Join(cfg.DataDir, "backup.sock"), nil, 0o600))                                  // nothing listens there
	refused(t, cfg, []string{"backup", filepath.Join(folder, "x")}, "the site is running")
	check(t, os.Remove(filepath.Join(cfg.DataDir, "backup.sock")))
	refused(t, cfg, []string{"restore", "--force", path}, "the site is running")
	site.Close()
	same(t, "the folder", map[string]string{"/there.tar": "precious"}, tree(t, folder))

	done(t, cfg, []string{"backup", path, "--force"}, "Wrote")
	done(t, elsewhere(t, cfg), []string{"restore", path}, "Restored")
}

// A damaged database is not passed off as a valid backup.
func TestBackupChecksTheDatabase(t *testing.T) {
	cfg := embedded(t)
	content, err := os.ReadFile(cfg.DatabaseFile())
	if err != nil {
		t.Fatal(err)
	}
	text := []byte("hello from alice")
	for at := bytes.Index(content, text); at >= 0; at = bytes.Index(content, text) { // including free pages
		for i := at - 600; i < at+len(text); i++ {
			content[i] ^= 0x5a
		}
	}
	if err := os.WriteFile(cfg.DatabaseFile(), content, 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "site.tar")
	refused(t, cfg, []string{"backup", path})
	if left := tree(t, filepath.Dir(path)); len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestAdminsDownloadABackupOfTheRunningSite(t *testing.T) {
	t.Setenv("MONGODB_URI", "")
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello from alice"}).Status(201)
	upload(t, alice)
	promote(t, site, "alice")
	bob.JSON("GET", "/api/v1/admin/backup", nil).Status(http.StatusForbidden)
	if err := os.WriteFile(site.Config.SecretsFile(), []byte("# the secrets\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	head := alice.Do(httptest.NewRequest(http.MethodHead, "https://localhost/api/v1/admin/backup", nil)).Status(200)
	answer := alice.Get("/api/v1/admin/backup").Status(200)
	if answer.Header.Get("Content-Type") != "application/x-tar" || head.Header.Get("Content-Type") != "application/x-tar" || answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers: %v", answer.Header)
	}
	if strings.Contains(answer.Body, "# the secrets") {
		t.Error("the secrets went over the wire")
	}
	path := filepath.Join(t.TempDir(), "site.tar")
	if err := os.WriteFile(path, []byte(answer.Body), 0o600); err != nil {
		t.Fatal(err)
	}
	for name := range tree(t, site.Config.DataDir) {
		if strings.HasSuffix(name, ".tmp") {
			t.Errorf("%s is left", name)
		}
	}
	other := elsewhere(t, site.Config)
	done(t, other, []string{"restore", path}, "holds no secrets")
	hasAliceAndHerPhoto(t, other)
}

func TestMongoDBIsNotBackedUpByTheRoute(t *testing.T) {
	site := testsite.New(t)
	if site.Config.MongoURI == "" {
		t.Skip("MONGODB_URI names no server")
	}
	alice := site.User("alice")
	promote(t, site, "alice")
	alice.JSON("GET", "/api/v1/admin/backup", nil).Status(http.StatusConflict).Has("mongodump")
}
