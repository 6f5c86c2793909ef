package config

import (
	"fmt"
	"strconv"
	"time"
)

var units = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}

// ParseDuration parses a whole number with a unit: 30s, 15m, 12h, 10d. A bare number is rejected, because programs
// disagree on whether it means seconds or milliseconds; so are zero and negative numbers, which would end every
// session.
func ParseDuration(text string) (time.Duration, error) {
	fault := fmt.Errorf("must be a whole number with a unit (s, m, h or d), such as 15m or 10d, not %q", text)
	if text == "" {
		return 0, fault
	}
	unit, ok := units[text[len(text)-1]]
	n, err := strconv.ParseInt(text[:len(text)-1], 10, 64)
	if !ok || err != nil || text[0] == '+' {
		return 0, fault
	}
	if n <= 0 || n > int64(10*365*24*time.Hour/unit) {
		return 0, fmt.Errorf("must be more than zero and at most ten years, not %q", text)
	}
	return time.Duration(n) * unit, nil
}
