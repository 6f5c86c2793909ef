//go:build !unix

package media

import "time"

func beNice() {}

// spent is how long this process has run: an upper bound of its processor time.
func spent(start time.Time) time.Duration { return time.Since(start) }
