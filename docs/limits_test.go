package docs_test

import (
	"regexp"
	"strings"
	"testing"
)

// limits.md has each rate limit of the code, with its quota.
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
