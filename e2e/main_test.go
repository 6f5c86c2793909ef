package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

// TestMain skips all these tests, which need a browser or build the program, if only short ones are wanted.
func TestMain(m *testing.M) {
	flag.Parse()
	if testing.Short() {
		fmt.Println("left out by -short: the tests in a browser and of the program as a process")
		return
	}
	os.Exit(m.Run())
}
