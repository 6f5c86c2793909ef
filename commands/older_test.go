package commands_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

// madeAt is when the folders in testdata/older were made, by the versions of the days they are named after: two users
// with a text post and a photo, which bob likes; in the later one, also a comment and a subscription of bob's. Next to
// the data folder are the tokens of one of alice's logins. The first version has no comments or moderation, the second
// no mail or second steps.
var madeAt = time.Date(2026, time.November, 27, 5, 40, 0, 0, time.UTC)

// older unpacks the data of an earlier version.
func older(t *testing.T, archive string) (cfg config.Config, tokens testsite.M) {
	t.Helper()
	t.Setenv("MONGODB_URI", "")
	file, err := os.Open(archive)
	check(t, err)
	defer func() { _ = file.Close() }()
	unzipped, err := gzip.NewReader(file)
	check(t, err)
	dir := t.TempDir()
	for entries := tar.NewReader(unzipped); ; {
		entry, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		check(t, err)
		path := filepath.Join(dir, filepath.FromSlash(entry.Name))
		if entry.Typeflag == tar.TypeDir {
			check(t, os.MkdirAll(path, 0o700))
			continue
		}
		content, err := io.ReadAll(entries)
		check(t, errors.Join(err, os.WriteFile(path, content, 0o600)))
	}
	text, err := os.ReadFile(filepath.Join(dir, "tokens.json"))
	check(t, errors.Join(err, json.Unmarshal(text, &tokens)))
	cfg, err = config.Load(map[string]string{
		"DATA_DIR": filepath.Join(dir, "data"), "BASE_URL": "https://localhost", "BCRYPT_COST": "4", "RATE_LIMIT": "false", "DISK_RESERVE_MB": "0", "LOG_LEVEL": "error",
	})
	check(t, err)
	return cfg, tokens
}

func TestDataOfEarlierVersions(t *testing.T) {
	archives, err := filepath.Glob("testdata/older/*.tar.gz")
	check(t, err)
	if len(archives) < 2 {
		t.Fatalf("only %q", archives)
	}
	for _, path := range archives {
		t.Run(filepath.Base(path), func(t *testing.T) {
			cfg, tokens := older(t, path)
			untouched := tree(t, cfg.DataDir)
			if out, err := doctor(t, cfg, nil); err != nil {
				t.Errorf("the doctor, before the first start: %v\n%s", err, out)
			}
			same(t, "after the doctor", untouched, tree(t, cfg.DataDir))

			site := testsite.Open(t, cfg, testsite.ClockAt(madeAt))
			stillLoggedIn(t, site, tokens)
			everythingIsThere(t, site, path > "testdata/older/2026-11-26")
			site.Close()
			for line := range strings.Lines(done(t, cfg, []string{"repair"})) {
				told := strings.HasSuffix(line, "was missing\n") || strings.Contains(line, "removed what an earlier version kept")
				if !told && !strings.HasPrefix(line, "Fixed ") && !strings.HasPrefix(line, "Nothing ") {
					t.Errorf("repair: %s", line) // more than what that version didn't count yet, or counted differently
				}
			}
			done(t, cfg, []string{"repair"}, "Nothing needed repair.")
			if out, err := doctor(t, cfg, nil); err != nil {
				t.Errorf("the doctor, after: %v\n%s", err, out)
			}

			backup := filepath.Join(t.TempDir(), "site.tar")
			done(t, cfg, []string{"backup", backup}, "is whole")
			other := elsewhere(t, cfg)
			done(t, other, []string{"restore", backup}, "Restored")
			testsite.Start(t, other).SignIn("alice") // today, when that session is long over
		})
	}
}

// stillLoggedIn uses the tokens of a login from before the update.
func stillLoggedIn(t *testing.T, site *testsite.Site, tokens testsite.M) {
	t.Helper()
	alice := site.Client()
	alice.Header.Set("Authorization", "Bearer "+tokens["accessToken"].(string))
	alice.JSON("GET", "/api/v1/users/get-current-user", nil).Status(http.StatusOK).Has(`"username":"alice"`)
	renewed := site.Client().JSON("POST", "/api/v1/users/regenerate-tokens", testsite.M{"refreshToken": tokens["refreshToken"]}).Status(http.StatusOK).Data()
	alice.Header.Set("Authorization", "Bearer "+renewed["accessToken"].(string))
	alice.Get("/api/v1/users/get-current-user").Status(http.StatusOK).Has("alice@example.com")
}

func everythingIsThere(t *testing.T, site *testsite.Site, social bool) {
	t.Helper()
	alice, bob := site.SignIn("alice"), site.SignIn("bob")
	alice.Get("/").Status(http.StatusOK).Has("hello from alice", "a photo")
	feed := bob.JSON("GET", "/api/v1/feed", nil).Status(http.StatusOK)
	if n := strings.Count(feed.Body, `"isLiked":true`); n != 2 {
		t.Errorf("bob likes %d posts", n)
	}
	if n := strings.Count(feed.Body, `"likesCount":1`); n != 2 {
		t.Errorf("%d posts have one like", n)
	}
	files := regexp.MustCompile(`/media/(?:posts|public)/[0-9a-f]+(?:\.jpg)?`).FindAllString(feed.Body, -1)
	if len(files) < 2 {
		t.Errorf("the feed names the files %q", files)
	}
	for _, file := range files {
		bob.Get(file).Status(http.StatusOK)
	}
	var posts []string
	for _, match := range regexp.MustCompile(`"_id":"([0-9a-f]{24})","kind"`).FindAllStringSubmatch(feed.Body, -1) {
		posts = append(posts, match[1])
		bob.Get("/comments/" + match[1]).Status(http.StatusOK)
		bob.JSON("POST", "/api/v1/comments/"+match[1], testsite.M{"content": "still here"}).Status(http.StatusCreated)
		bob.JSON("DELETE", "/api/v1/likes/v/"+match[1], nil).Status(http.StatusOK).Has(`"likesCount":0`)
	}
	if len(posts) != 2 {
		t.Fatalf("the feed has the posts %q", posts)
	}
	if social {
		bob.JSON("GET", "/api/v1/comments/"+posts[1], nil).Status(http.StatusOK).Has("hello alice", "still here")
		alice.JSON("GET", "/api/v1/users/get-current-user", nil).Status(http.StatusOK).Has(`"subscribersCount":1`)
	}
	alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "after the update"}).Status(http.StatusCreated)
	bob.Get("/search?q=hello").Status(http.StatusOK).Has("hello from alice")
	alice.Get("/studio").Status(http.StatusOK).Has("a photo")
	alice.Get("/settings/notifications").Status(http.StatusOK)
}
