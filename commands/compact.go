package commands

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"

	"tokentube/utils/localdb"
)

var compactCommand = command{
	name:  "compact",
	brief: "shrink the database file after deletions",
	help: `The file of the embedded database never shrinks by itself: free space in it is reused.
This command writes a copy without the free space, checks it, and replaces the file
with it. GET /api/v1/admin/metrics says how much of the file is free.

Stop the site first, and make sure there is space for the copy. If it is interrupted,
the file stays as it was. Media files are not affected: they go when they are deleted.`,
	parse: func(flags *flag.FlagSet, args []string) (Run, error) {
		_, err := positional(flags, args)
		return compact, err
	},
}

func compact(ctx context.Context, s Site) error {
	if s.Config.MongoURI != "" {
		return errors.New("this site keeps its documents in a MongoDB (MONGODB_URI), which has a command of that name of its own")
	}
	if err := unfinishedRestore(s.Config.DataDir); err != nil {
		return err
	}
	before, after, err := localdb.Compact(ctx, s.Config.DatabaseFile())
	if errors.Is(err, fs.ErrNotExist) {
		return noSite(s.Config)
	}
	if err != nil {
		return running(err)
	}
	s.say("%s has %s now, and had %s, of which %s were free.", s.Config.DatabaseFile(), size(after.Bytes), size(before.Bytes), size(before.Free))
	return nil
}

// size formats a number of bytes for people.
func size(bytes int64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%.1f kB", float64(bytes)/(1<<10))
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20))
}
