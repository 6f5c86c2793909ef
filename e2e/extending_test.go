package e2e_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/e2e/testsite"
	"tokentube/utils/localdb"
)

// TestExtending follows docs/extending.md in a copy of the project, and uses the resulting feature. It fails if that
// page is out of date.
func TestExtending(t *testing.T) {
	tree := copyOfProject(t)
	text, err := os.ReadFile("../docs/extending.md")
	check(t, err)
	steps := blocks.FindAllStringSubmatch(string(text), -1)
	if fences := strings.Count(string(text), "\n```") / 2; len(steps) != fences || fences < 4 {
		t.Fatalf("%d of %d blocks name their file", len(steps), fences)
	}
	var changed []string
	for _, step := range steps {
		apply(t, tree, step[1], step[2], step[3])
		folder, _, _ := strings.Cut(step[1], "/")
		changed = append(changed, path.Join("tokentube", folder))
	}
	if out, err := exec.Command("gofmt", "-l", tree).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("gofmt: %v: %s", err, out)
	}
	program := buildIn(t, tree)
	t.Run("tests", func(t *testing.T) {
		cmd := exec.Command("go", append([]string{"test", "-short"}, testsOf(t, tree, changed)...)...) // short: excludes this test, and the browser tests
		cmd.Dir, cmd.Env = tree, append(os.Environ(), "MONGODB_URI=")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("in use", program.bookmarks)
}

// testsOf names the packages whose tests use the changed files, and the one that reads all files.
func testsOf(t *testing.T, tree string, changed []string) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-test", "-f", `{{.ImportPath}} {{join .Deps " "}}`, "./...")
	cmd.Dir = tree
	out, err := cmd.Output()
	check(t, err)
	packages := []string{"tokentube/docs"}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		tested, isTest := strings.CutSuffix(words[0], ".test")
		uses := func(name string) bool { return slices.Contains(words, name) }
		if isTest && tested != packages[0] && slices.ContainsFunc(changed, uses) {
			packages = append(packages, tested)
		}
	}
	if len(packages) < 5 {
		t.Fatalf("only %q use what was changed", packages)
	}
	return packages
}

// blocks are a file's path directly followed by a fenced block.
var blocks = regexp.MustCompile("(?s)\n`([^`\n ]+)`\n\n```(\\w+)\n(.*?\n)```\n")

// copyOfProject copies the project, without stored data.
func copyOfProject(t *testing.T) string {
	t.Helper()
	tree := t.TempDir()
	entries, err := os.ReadDir("..")
	check(t, err)
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case strings.HasPrefix(name, ".") && name != ".env.example" || name == "data":
		case entry.IsDir():
			check(t, os.CopyFS(filepath.Join(tree, name), os.DirFS(filepath.Join("..", name))))
		case entry.Type().IsRegular():
			text, err := os.ReadFile(filepath.Join("..", name))
			check(t, err)
			check(t, os.WriteFile(filepath.Join(tree, name), text, 0o600))
		}
	}
	return tree
}

// apply creates a file, or changes one by a diff, whose unchanged lines must occur in the file once.
func apply(t *testing.T, tree, name, kind, text string) {
	t.Helper()
	path := filepath.Join(tree, filepath.FromSlash(name))
	present, err := os.ReadFile(path)
	if kind != "diff" {
		if err == nil {
			t.Fatalf("%s is there already", name)
		}
		check(t, os.MkdirAll(filepath.Dir(path), 0o750))
		check(t, os.WriteFile(path, []byte(text), 0o600))
		return
	}
	check(t, err)
	var before, after strings.Builder
	for line := range strings.Lines(text) {
		mark, rest := line[:1], line[1:]
		if mark != "+" {
			before.WriteString(rest)
		}
		if mark != "-" {
			after.WriteString(rest)
		}
	}
	if n := strings.Count(string(present), before.String()); n != 1 {
		t.Fatalf("%s has these lines %d times:\n%s", name, n, before.String())
	}
	check(t, os.WriteFile(path, []byte(strings.Replace(string(present), before.String(), after.String(), 1)), 0o600))
}

func (b binary) bookmarks(t *testing.T) {
	data := t.TempDir()
	p := b.start(t, env{"DATA_DIR": data, "PORT": freePort(t), "BCRYPT_COST": "4", "RATE_LIMIT": "false"})
	p.ready()
	alice, bob := p.register("alice"), p.register("bob")
	kept, other := p.post(bob, "keep this", "public"), p.post(bob, "and this", "public")
	draft := p.post(bob, "nobody else's", "draft")

	for _, post := range []string{kept, other} {
		p.as(alice, http.MethodPut, "/api/v1/bookmarks/"+post, http.StatusOK)
	}
	p.as(bob, http.MethodPost, "/bookmarks/"+kept+"?_method=PUT", http.StatusOK) // a page's form, and on to the list
	if page := p.as(alice, http.MethodGet, "/bookmarks", http.StatusOK); !strings.Contains(page, "keep this") || !strings.Contains(page, "/posts/"+other) {
		t.Errorf("the page: %s", page)
	}
	if page := p.as(alice, http.MethodGet, "/posts/"+kept, http.StatusOK); !strings.Contains(page, "/bookmarks/"+kept) {
		t.Errorf("no button: %s", page)
	}
	p.bookmarked(alice, other, kept) // latest first
	p.bookmarked(bob, kept)

	p.as(alice, http.MethodPut, "/api/v1/bookmarks/"+draft, http.StatusNotFound)
	p.as(bob, http.MethodDelete, "/api/v1/bookmarks/"+other, http.StatusOK) // bob has none to remove: alice's stays
	p.bookmarked(alice, other, kept)
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		p.as(tokens{}, method, "/api/v1/bookmarks/"+kept, http.StatusUnauthorized)
	}
	p.as(tokens{}, http.MethodGet, "/api/v1/bookmarks", http.StatusUnauthorized)
	if page := p.as(tokens{}, http.MethodGet, "/bookmarks", http.StatusOK); !strings.Contains(page, `action="/login`) {
		t.Errorf("nobody is led to %s", page)
	}

	p.as(bob, http.MethodDelete, "/api/v1/tweets/"+other, http.StatusOK)
	p.bookmarked(alice, kept)
	p.remove("bob", bob) // his bookmark, and his posts with everything attached to them
	p.bookmarked(alice)
	mine := p.post(alice, "my own", "public")
	p.as(alice, http.MethodPut, "/api/v1/bookmarks/"+mine, http.StatusOK)
	p.bookmarked(alice, mine)
	p.remove("alice", alice)
	p.stop()

	db, err := localdb.Open(filepath.Join(data, "tokentube.db"))
	check(t, err)
	n, err := db.Collection("bookmarks").CountDocuments(context.Background(), bson.D{})
	check(t, err)
	check(t, db.Close())
	if n != 0 {
		t.Errorf("%d bookmarks are left", n)
	}
}

// as sends a request with these tokens, or with none.
func (p *process) as(who tokens, method, path string, want int) string {
	p.t.Helper()
	header := http.Header{}
	if who.AccessToken != "" {
		header.Set("Authorization", "Bearer "+who.AccessToken)
	}
	code, body := p.send(method, path, nil, header)
	if code != want {
		p.t.Fatalf("%s %s answers %d %s, want %d", method, path, code, body, want)
	}
	return body
}

func (p *process) post(who tokens, content, visibility string) string {
	p.t.Helper()
	code, body := p.send(http.MethodPost, "/api/v1/tweets", testsite.M{"content": content, "visibility": visibility},
		http.Header{"Authorization": {"Bearer " + who.AccessToken}})
	var answer struct {
		Data struct {
			ID string `json:"_id"`
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || code != http.StatusCreated {
		p.t.Fatalf("post answers %d %s", code, body)
	}
	return answer.Data.ID
}

// bookmarked checks what is in the user's bookmarks.
func (p *process) bookmarked(who tokens, want ...string) {
	p.t.Helper()
	var answer struct {
		Data struct {
			Videos []struct {
				ID string `json:"_id"`
			}
		}
	}
	body := p.as(who, http.MethodGet, "/api/v1/bookmarks", http.StatusOK)
	check(p.t, json.Unmarshal([]byte(body), &answer))
	var got []string
	for _, post := range answer.Data.Videos {
		got = append(got, post.ID)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		p.t.Fatalf("the bookmarks are %v, want %v", got, want)
	}
}

// remove deletes an account, and waits until all of it is gone: then its name is available again.
func (p *process) remove(name string, who tokens) {
	p.t.Helper()
	code, body := p.send(http.MethodDelete, "/api/v1/users/me", testsite.M{"password": testsite.Password},
		http.Header{"Authorization": {"Bearer " + who.AccessToken}})
	if code != http.StatusOK {
		p.t.Fatalf("deleting the account answers %d %s", code, body)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		code, body = p.send(http.MethodPost, "/api/v1/users/register", testsite.M{
			"username": name, "email": name + "@example.com", "fullName": name, "password": testsite.Password,
		}, nil)
		if code == http.StatusCreated {
			return
		}
	}
	p.t.Fatalf("the name %s is not free again: %d %s", name, code, body)
}
