//go:build !unix

package media

import "time"

func beNice() {}

// spent is how long this process has been running: an upper bound of its processor time.
func spent(start time.Time) time.Duration { return time.Since(start) }
