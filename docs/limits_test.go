package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// limits.md lists each rate limit of the code, with its quota.
func TestLimitsAreTheOnesInTheCode(t *testing.T) {
	table, code := read(t, "limits.md"), read(t, "../middlewares/limits.go")
	found := regexp.MustCompile(`(?m)^\t(\w+Limit) += ratelimit\.Limit\{Name: "[\w-]+", Quota: ([\d_]+),`).FindAllStringSubmatch(code, -1)
	if len(found) < 13 || len(found) != strings.Count(code, "ratelimit.Limit{Name:") {
		t.Errorf("%d limits are found", len(found))
	}
	for _, limit := range found {
		row := regexp.MustCompile("(?m)^\\|[^|]+\\|[^|]+\\| ([\\d ]+).*`" + limit[1] + "`").FindStringSubmatch(table)
		if row == nil {
			t.Errorf("%s is not in the table", limit[1])
		} else if got := strings.ReplaceAll(row[1], " ", ""); got != strings.ReplaceAll(limit[2], "_", "") {
			t.Errorf("%s is %s, and the table says %s", limit[1], limit[2], row[1])
		}
	}
}

// numbers are the numbers in a cell: "100, among the latest 1 000" has two.
func numbers(cell string) (all []string) {
	for _, n := range regexp.MustCompile(`\d+(?: \d{3})*`).FindAllString(cell, -1) {
		all = append(all, strings.ReplaceAll(n, " ", ""))
	}
	return all
}

// The rows of the table that name a constant state its value.
func TestBoundsAreTheOnesInTheCode(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\|[^|]+\\|[^|]+\\|([^|]+)\\|[^|]*\\| `(\\w+)` in `([\\w/.]+)` \\|").FindAllStringSubmatch(read(t, "limits.md"), -1)
	compared := map[string]bool{}
	for _, row := range rows {
		value := regexp.MustCompile(`(?m)^(?:const|\t)\s*` + row[2] + `\s+= ([\d_]+)\s*(?://.*)?$`).FindStringSubmatch(read(t, "../"+row[3]))
		if value == nil { // a function, or computed
			continue
		}
		compared[row[2]] = true
		if want := strings.ReplaceAll(value[1], "_", ""); !slices.Contains(numbers(row[1]), want) {
			t.Errorf("%s is %s, and the table says %s", row[2], want, row[1])
		}
	}
	for _, name := range []string{"maxQuery", "most", "longest", "maxCandidates", "maxKeywords", "maxMentions", "ActorsKept", "MaxUnread"} {
		if !compared[name] {
			t.Errorf("%s is not compared", name)
		}
	}
}
