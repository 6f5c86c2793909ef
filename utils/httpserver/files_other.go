//go:build !unix

package httpserver

import "math"

// openFiles is how many files this process may have open: more than it will ever need.
func openFiles() int { return math.MaxInt32 }
