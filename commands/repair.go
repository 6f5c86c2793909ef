package commands

import (
	"context"
	"flag"
	"time"

	"tokentube/models/store"
)

// settleTime is longer than any single change by another process can take.
const settleTime = 30 * time.Second

var repairCommand = command{
	name:  "repair",
	brief: "correct counts, and remove what a crash left behind",
	help: `It finishes interrupted removals, and removes documents whose post or account is gone,
duplicates that prevent a unique index, and files that no document names, including
half-written ones. It corrects every count (posts, likes ...) and reports documents
whose files are missing. Everything it fixes is printed. You can interrupt it at any
time and run it again: the second run finds nothing to repair.

With the embedded database, stop the site first. With MONGODB_URI, it may be running:
a wrong count is checked repeatedly for half a minute, and left alone if it changes.
Where other processes may be running (MONGODB_URI, or a bucket), files younger than four
hours may be waiting for their document, so they stay.`,
	parse: func(flags *flag.FlagSet, args []string) (Run, error) {
		_, err := positional(flags, args)
		return repair, err
	},
}

func repair(ctx context.Context, s Site) error {
	data, err := Open(ctx, s.Config, s.Logs) // not prepared: what prevents that may be what is broken
	if err != nil {
		return err
	}
	defer data.Close()
	how := store.Repair{Say: s.say}
	if s.Config.MongoURI != "" {
		how.Settle = settleTime
	}
	done, err := data.DB.Repair(ctx, how)
	if err != nil {
		return err
	}
	switch done.Mended {
	case 0:
		s.say("Nothing needed repair.")
	case 1:
		s.say("Fixed 1 problem.")
	default:
		s.say("Fixed %d problems.", done.Mended)
	}
	if done.Lost > 0 {
		s.say("Lost files: %d. Put them back from a backup, or delete what names them.", done.Lost)
	}
	if done.Young > 0 {
		s.say("Files that no document names, but too young to be told from uploads under way: %d. They stay; run repair again in four hours.", done.Young)
	}
	if done.Busy > 0 {
		s.say("Counts that were changing all the time: %d. Run repair again when the site is quieter.", done.Busy)
	}
	return nil
}
