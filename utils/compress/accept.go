// Package compress compresses responses: it finds the coding that a client prefers, and encodes whole bodies.
//
// Does not belong here: which responses may be compressed (utils/respond).
package compress

import (
	"strconv"
	"strings"
)

// Coding is a content coding, as named in Content-Encoding.
type Coding string

// The supported codings, best first.
const (
	Identity Coding = "" // unchanged
	Zstd     Coding = "zstd"
	Gzip     Coding = "gzip"
)

// Accepted is the supported coding that a request's Accept-Encoding headers prefer (RFC 9110 §12.5.3). If they accept
// none at all, it is Identity: a response is better than a refusal.
func Accepted(headers []string) Coding {
	q := qualities(headers)
	best, most := Identity, q["identity"]
	for _, coding := range []Coding{Gzip, Zstd} {
		weight, named := q[string(coding)]
		if !named {
			weight = q["*"]
		}
		if weight > 0 && weight >= most {
			best, most = coding, weight
		}
	}
	return best
}

// qualities are the weights of the codings, in thousandths. An invalid weight counts as 0.
func qualities(headers []string) map[string]int {
	q := map[string]int{}
	for _, header := range headers {
		for item := range strings.SplitSeq(header, ",") {
			name, params, _ := strings.Cut(item, ";")
			name = strings.ToLower(strings.TrimSpace(name))
			if name == "" {
				continue
			}
			if name == "x-gzip" { // RFC 9110 §8.4.1.3
				name = "gzip"
			}
			q[name] = quality(params)
		}
	}
	return q
}

// quality parses "q=0.5": a number from 0 to 1 with at most three decimals.
func quality(params string) int {
	params = strings.TrimSpace(params)
	if params == "" {
		return 1000
	}
	key, value, _ := strings.Cut(params, "=")
	if !strings.EqualFold(strings.TrimSpace(key), "q") {
		return 0
	}
	value = strings.TrimSpace(value)
	if len(value) > len("0.000") || strings.Trim(value, "0123456789.") != "" {
		return 0
	}
	weight, err := strconv.ParseFloat(value, 64)
	if err != nil || weight > 1 {
		return 0
	}
	return int(weight*1000 + 0.5)
}
