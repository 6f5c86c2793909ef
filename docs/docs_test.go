// Package docs_test checks the parts of the documents that a program can check.
package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// documents are README.md and everything in this folder, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("*.md")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	all := map[string]string{}
	for _, path := range append(paths, "../README.md") {
		all[path] = read(t, path)
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	fenced  = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} +(.*)$`)
)

func TestLinksLeadSomewhere(t *testing.T) {
	n := 0
	for path, text := range documents(t) {
		for _, match := range link.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			target, anchor, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			n++
			file := path
			if target != "" {
				file = filepath.Join(filepath.Dir(path), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: %s is not there", path, match[1])
				continue
			}
			if anchor != "" && !slices.Contains(anchors(read(t, file)), anchor) {
				t.Errorf("%s: %s has no heading %q", path, file, anchor)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d links were found", n)
	}
}

// anchors are the anchors that Markdown renderers give to headings: lower case, hyphens for spaces, nothing else but
// letters and digits; repeated ones are numbered.
func anchors(text string) []string {
	var all []string
	seen := map[string]int{}
	for _, match := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		name := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, match[1])
		seen[name]++
		if times := seen[name]; times > 1 {
			name += "-" + strconv.Itoa(times-1)
		}
		all = append(all, name)
	}
	return all
}

var (
	// known are the variables that the program reads.
	known = regexp.MustCompile(`r\.\w+\("([A-Z0-9_]+)"`)
	// named matches variables named in a text: at least two words in capitals, or one of these.
	named = regexp.MustCompile(`\b(?:[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|PORT|HOST)\b`)
	// others belong to other programs.
	others = regexp.MustCompile(`^(AWS_\w+|ROOT_\w+_KEY|CLOUDINARY_\w+|NODE_ENV|X_TOKEN_SECRET(_PREVIOUS)?|CAP_\w+|AF_\w+|CGO_ENABLED|LOCALDB_\w+)$`)
)

func TestEnvironmentVariablesExist(t *testing.T) {
	variables := variables(t)
	texts := documents(t)
	for _, path := range []string{"../.env.example", "../Dockerfile", "../compose.yaml"} {
		texts[path] = read(t, path)
	}
	for path, text := range texts {
		for _, name := range named.FindAllString(text, -1) {
			if !slices.Contains(variables, name) && !others.MatchString(name) {
				t.Errorf("%s names %s, which the program does not read", path, name)
			}
		}
	}
	for _, name := range variables {
		if !strings.Contains(texts["../.env.example"], name+"=") {
			t.Errorf(".env.example does not tell of %s", name)
		}
	}
}
