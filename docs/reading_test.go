package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"tokentube/utils/source"
)

// reading.md leads from the route to the database: each step names functions
// that stand in its file, and no way has more than six jumps.
func TestReadingGuideNamesWhatIsThere(t *testing.T) {
	text, err := os.ReadFile("reading.md")
	if err != nil {
		t.Fatal(err)
	}
	code, err := source.New(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	step := regexp.MustCompile(`(?ms)^\d+\. \[([\w/.]+)\]\(\.\./([\w/.]+)\): (.*?)(?:\n\n|\n\d|\z)`)
	names := regexp.MustCompile("`([a-z]+\\.[A-Za-z.]+)`")
	ways := strings.Split(string(text), "\n## ")[1:]
	if len(ways) != 4 {
		t.Errorf("%d ways, want 4", len(ways))
	}
	for _, way := range ways {
		title, rest, _ := strings.Cut(way, "\n")
		steps := 0
		for found := step.FindStringSubmatchIndex(rest); found != nil; found = step.FindStringSubmatchIndex(rest) {
			steps++
			shown, file, words := rest[found[2]:found[3]], rest[found[4]:found[5]], rest[found[6]:found[7]]
			if shown != file {
				t.Errorf("%s: %s leads to %s", title, shown, file)
			}
			if len(names.FindAllString(words, -1)) == 0 {
				t.Errorf("%s: %s: no function is named", title, file)
			}
			for _, name := range names.FindAllStringSubmatch(words, -1) {
				if piece, err := code.Find(name[1]); err == nil && piece.File != file {
					t.Errorf("%s: %s stands in %s, not in %s", title, name[1], piece.File, file)
				}
			}
			rest = rest[found[7]:]
		}
		if steps < 4 || steps > 7 {
			t.Errorf("%s: %d files", title, steps)
		}
		if listed := len(regexp.MustCompile(`(?m)^\d+\. `).FindAllString(way, -1)); listed != steps {
			t.Errorf("%s: %d steps are written as the others are, of %d", title, steps, listed)
		}
	}
	for _, name := range names.FindAllStringSubmatch(string(text), -1) {
		if _, err := code.Find(name[1]); err != nil {
			t.Error(err)
		}
	}
}
