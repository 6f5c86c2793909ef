package docs_test

import (
	"path/filepath"
	"regexp"
	"testing"
)

// testsOf are the names of the tests in a folder.
func testsOf(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	found, function := map[string]bool{}, regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, file := range files {
		for _, name := range function.FindAllStringSubmatch(read(t, file), -1) {
			found[name[1]] = true
		}
	}
	return found
}

// tokens.md names the test for each rule: those tests exist.
func TestEveryRuleHasTheTestThatTheDocsName(t *testing.T) {
	text := read(t, "tokens.md")
	everywhere := map[string]bool{}
	rows := regexp.MustCompile("(?m)^\\| .* \\| `((?:Test|Fuzz)\\w+)` \\| `([\\w/]+)` \\|$").FindAllStringSubmatch(text, -1)
	if len(rows) < 78 {
		t.Errorf("%d rules have a test, where there were 78", len(rows))
	}
	for _, row := range rows {
		tests := testsOf(t, filepath.Join("..", row[2]))
		if !tests[row[1]] {
			t.Errorf("%s has no %s", row[2], row[1])
		}
		for name := range tests {
			everywhere[name] = true
		}
	}
	for _, name := range regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w+)`").FindAllStringSubmatch(text, -1) {
		if !everywhere[name[1]] {
			t.Errorf("there is no %s", name[1])
		}
	}
}

// No requirement of levels 1 and 2 is missing: the sections of ASVS 5.0 with the number of requirements in each, and
// those that are level 3 only.
func TestASVSTableIsComplete(t *testing.T) {
	text := read(t, "tokens.md")
	rows := map[string]int{}
	for _, row := range regexp.MustCompile(`(?m)^\| (\d\.\d)\.\d+ \| [12] \| [^|]+ \| (?:met|in part|not met|does not apply) \| [^|]+ \|$`).FindAllStringSubmatch(text, -1) {
		rows[row[1]]++
	}
	for section, n := range map[string]int{
		"6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4,
		"7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2, "9.1": 3, "9.2": 4,
	} {
		if rows[section] != n {
			t.Errorf("%s: %d requirements, want %d", section, rows[section], n)
		}
	}
}
