// Package docs_test checks the parts of the documents that a program can check.
package docs_test

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/joho/godotenv"

	"tokentube/commands"
	"tokentube/config"
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

// Every line of .env.example that has no "#" sets a default.
func TestExampleShowsTheDefaults(t *testing.T) {
	example := exampleValues(t)
	shown, err := config.Look(example)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range example {
		alone, err := config.Look(map[string]string{name: value})
		if err != nil || !reflect.DeepEqual(alone, shown) {
			t.Errorf("%s=%s is not the default: %v", name, value, err)
		}
	}
	if plain, err := config.Look(nil); err != nil || !reflect.DeepEqual(plain, shown) {
		t.Errorf("the defaults of .env.example are %+v, those of the program %+v (%v)", shown, plain, err)
	}
}

func exampleValues(t *testing.T) map[string]string {
	t.Helper()
	values, err := godotenv.Unmarshal(read(t, "../.env.example"))
	if err != nil || len(values) < 20 {
		t.Fatal(values, err)
	}
	return values
}

// README.md lists every setting. Where it states a default, that is the one of .env.example.
func TestReadmeListsTheSettings(t *testing.T) {
	example, listed := exampleValues(t), map[string]bool{}
	_, table, _ := strings.Cut(read(t, "../README.md"), "\n## Configuration\n")
	table = table[:strings.Index(table, "\n## ")]
	for _, row := range regexp.MustCompile("(?m)^\\| (`[A-Z].*?) \\| (.*?) \\| .*\\|$").FindAllStringSubmatch(table, -1) {
		names, defaults := strings.Split(row[1], ", "), strings.Split(row[2], ", ")
		for i, name := range names {
			name = strings.Trim(name, "`")
			listed[name] = true
			value, set := example[name]
			if said := defaults[min(i, len(defaults)-1)]; set && value != "" && said != "`"+value+"`" {
				t.Errorf("README.md says that %s is %s by default; it is %s", name, said, value)
			}
		}
	}
	for _, name := range variables(t) {
		if !listed[name] {
			t.Errorf("README.md does not list %s", name)
		}
	}
}

// Both lists of commands have every command, and README.md every action of admin.
func TestCommandsAreListed(t *testing.T) {
	help := func(args ...string) string {
		var out strings.Builder
		if _, err := commands.Parse(append([]string{"help"}, args...), &out); !errors.Is(err, flag.ErrHelp) {
			t.Fatal(err)
		}
		return out.String()
	}
	names := regexp.MustCompile(`(?m)^  ([a-z]+) +\S`).FindAllStringSubmatch(help(), -1)
	if len(names) < 9 {
		t.Fatalf("the program has the commands %v", names)
	}
	for _, path := range []string{"../README.md", "deployment.md"} {
		for _, name := range names {
			if !regexp.MustCompile("(?m)^\\| `" + name[1] + "\\b").MatchString(read(t, path)) {
				t.Errorf("%s does not list %s", path, name[1])
			}
		}
	}
	for _, name := range regexp.MustCompile(`[a-z-]+`).FindAllString(strings.SplitN(help("admin"), "\n", 2)[0], -1) {
		if !slices.Contains([]string{"sage", "tokentube", "admin"}, name) && !strings.Contains(read(t, "../README.md"), "`admin "+name) {
			t.Errorf("README.md does not list admin %s", name)
		}
	}
	// The help of repair states a constant of the code in words.
	hours, _, _ := constant(read(t, "../models/store/files.go"), "uploadTime")
	words := map[int64]string{1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six"}
	if word := words[hours/int64(time.Hour)]; word == "" || !strings.Contains(strings.ReplaceAll(help("repair"), "\n", " "), word+" hours") {
		t.Errorf("repair doesn't say that files of the last %d hours stay", hours/int64(time.Hour))
	}
	if !strings.Contains(help("doctor"), "78") {
		t.Error("the help doesn't name the exit status of a faulty configuration")
	}
}

// performance.md counts the packages that the program brings from elsewhere.
func TestPackagesAreCounted(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if and .Module (not .Standard)}}{{.Module.Path}}{{end}}", "..")
	list.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for module := range strings.FieldsSeq(string(out)) {
		if module != "tokentube" {
			n++
		}
	}
	row := regexp.MustCompile(`(?m)^\| packages from elsewhere \|.*\| (\d+) \|$`).FindStringSubmatch(read(t, "performance.md"))
	if row == nil || row[1] != strconv.Itoa(n) {
		t.Errorf("the program has %d packages from elsewhere; performance.md says %v", n, row)
	}
}

// decisions.md says what each module is for.
func TestModulesAreExplained(t *testing.T) {
	text := read(t, "decisions.md")
	modules := regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(read(t, "../go.mod"), -1)
	if len(modules) < 20 {
		t.Fatalf("only %d modules are found", len(modules))
	}
	for _, module := range modules {
		name := regexp.MustCompile(`^(github\.com|go\.mongodb\.org)/|^golang\.org/|/v\d+$`).ReplaceAllString(module[1], "")
		if !strings.Contains(text, name) && !strings.Contains(text, name[strings.LastIndex(name, "/")+1:]) {
			t.Errorf("decisions.md doesn't name %s", module[1])
		}
	}
}

// architecture.md lists every collection: the kinds that the models register, and that of the store itself.
func TestCollectionsAreListed(t *testing.T) {
	_, table, _ := strings.Cut(read(t, "architecture.md"), "\n| Collection |")
	table, _, _ = strings.Cut(table, "\n\n")
	files, err := filepath.Glob("../models/*.go")
	if err != nil {
		t.Fatal(err)
	}
	registered := regexp.MustCompile(`(?:^\t+Name: +|NewRelation\(db, |NewLikes\(db, )"(\w+)"`)
	n := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for line := range strings.Lines(read(t, file)) {
			if kind := registered.FindStringSubmatch(line); kind != nil {
				n++
				if !strings.Contains(table, "\n| `"+kind[1]+"` |") {
					t.Errorf("architecture.md doesn't list the collection %s", kind[1])
				}
			}
		}
	}
	if rows := strings.Count(table, "\n| `"); n < 28 || rows != n+1 {
		t.Errorf("the models register %d collections, and the table has %d", n, rows)
	}
}
