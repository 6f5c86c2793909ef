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
	brief: "give back the space of what was deleted from the database",
	help: `The file of the embedded database never shrinks by itself: room that becomes free
in it is used again. This writes it anew without that room, checks the copy, and puts
it in the place of the file. GET /api/v1/admin/metrics says how much is free in it.

The site must be stopped, and there must be room for the copy. Whatever stops it, the
file stays as it was. Media files are not touched: they go when they are deleted.`,
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

// size is a number of bytes as people read it.
func size(bytes int64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%.1f kB", float64(bytes)/(1<<10))
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20))
}
