package docs_test

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
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

// lengths are the durations in a cell: "4 hours", "1 in 5 s", "1 a second".
func lengths(cell string) (all []time.Duration) {
	units := map[string]time.Duration{"s": time.Second, "min": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}
	for _, m := range regexp.MustCompile(`(\d+) (s|min|hour|day)s?\b`).FindAllStringSubmatch(cell, -1) {
		n, _ := strconv.Atoi(m[1])
		all = append(all, time.Duration(n)*units[m[2]])
	}
	if strings.Contains(cell, " a second") {
		all = append(all, time.Second)
	}
	return all
}

// constant is the value of a numeric constant in a text of code. One that is a duration is in nanoseconds.
func constant(code, name string) (value int64, duration, found bool) {
	units := map[string]time.Duration{"time.Second": time.Second, "time.Minute": time.Minute, "time.Hour": time.Hour, "day": 24 * time.Hour}
	m := regexp.MustCompile(`(?m)^(?:const|\t)\s*` + name + `\s+= ([\w.]+(?: \* [\w.]+)*)\s*(?://.*)?$`).FindStringSubmatch(code)
	if m == nil {
		return 0, false, false
	}
	value = 1
	for factor := range strings.SplitSeq(m[1], " * ") {
		if unit, is := units[factor]; is {
			value, duration = value*int64(unit), true
			continue
		}
		n, err := strconv.ParseInt(strings.ReplaceAll(factor, "_", ""), 10, 64)
		if err != nil { // computed from others
			return 0, false, false
		}
		value *= n
	}
	return value, duration, true
}

// The rows of the tables that name a constant state its value.
func TestBoundsAreTheOnesInTheCode(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\|[^|]+\\|[^|]+\\|([^|]+)\\|(?:[^|]*\\|)? `(\\w+)` in `([\\w/.]+)` \\|").FindAllStringSubmatch(read(t, "limits.md"), -1)
	compared := map[string]bool{}
	for _, row := range rows {
		value, duration, found := constant(read(t, "../"+row[3]), row[2])
		if !found { // a function, or computed
			continue
		}
		compared[row[2]] = true
		if duration && !slices.Contains(lengths(row[1]), time.Duration(value)) {
			t.Errorf("%s is %s, and the table says %s", row[2], time.Duration(value), row[1])
		}
		if want := strconv.FormatInt(value, 10); !duration && !slices.Contains(numbers(row[1]), want) {
			t.Errorf("%s is %s, and the table says %s", row[2], want, row[1])
		}
	}
	if len(compared) < 27 {
		t.Errorf("%d constants are compared, where there were 27: %v", len(compared), slices.Sorted(maps.Keys(compared)))
	}
}

// tokens.md repeats the limits against guessing: it counts them where limits.md and the code do.
func TestTokensCountsItsLimitsWhereTheCodeDoes(t *testing.T) {
	code := read(t, "../middlewares/limits.go")
	where := func(limit string) string {
		switch {
		case strings.Contains(code, "count("+limit+")"):
			return "shared"
		case strings.Contains(code, "limiter("+limit+")"):
			return "in the process"
		}
		return "in the database"
	}
	table := read(t, "limits.md")
	for _, row := range regexp.MustCompile("(?m)^\\|[^|]+\\|[^|]+\\|[^|]+\\| `(\\w+Limit)`([^|`]*)\\|").FindAllStringSubmatch(table, -1) {
		if said := strings.Trim(row[2], ";, "); said != strings.Replace(where(row[1]), "in the process", "", 1) {
			t.Errorf("limits.md says that %s is counted %q, and the code counts it %s", row[1], said, where(row[1]))
		}
	}
	_, text, _ := strings.Cut(read(t, "tokens.md"), "\n## Limits\n")
	rows := regexp.MustCompile(`(?m)^\| ([^|]+) \| ([^|]*\d[^|]*) \| ([^|]+) \|$`).FindAllStringSubmatch(text[:strings.Index(text, "\n## ")], -1)
	limits := [][]string{
		{"loginLimit"}, {"loginLimit"}, {"accountLimit"}, {"networkLimit", "hostLimit"}, {"codeLimit"},
		{"rightLimit", "rightNetworkLimit"}, {"registerLimit"}, {"renewalLimit"}, {"writeLimit"},
	}
	if len(rows) != len(limits) {
		t.Fatalf("tokens.md has %d limits, want %d", len(rows), len(limits))
	}
	for i, row := range rows {
		places := strings.Split(row[3], "; ")
		for j, limit := range limits[i] {
			quota := regexp.MustCompile(limit + ` += .*Quota: (\d+)`).FindStringSubmatch(code)
			if place, _, _ := strings.Cut(places[min(j, len(places)-1)], ","); place != where(limit) {
				t.Errorf("%s: counted %s, and the code counts %s %s", row[1], place, limit, where(limit))
			}
			if !slices.Contains(numbers(row[2]), quota[1]) {
				t.Errorf("%s: %s, and %s is %s", row[1], row[2], limit, quota[1])
			}
		}
	}
}
