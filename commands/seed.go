package commands

import (
	"context"
	"flag"

	"tokentube/models/sample"
	"tokentube/utils/password"
)

var seedCommand = command{
	name:  "seed",
	brief: "add sample content: eight channels that publish and talk to one another",
	help: `About forty videos, photos and short posts, with comments, likes, subscriptions, playlists
and four weeks of views. The pictures and clips are drawn and free to use. It prints
how to log in as one of the channels. You can interrupt it and run it again: nothing is
added twice, and the login gets a new password. If the content is already being added
elsewhere, it stops with a message; if that process was killed, wait half a minute.

With the embedded database, stop the site first; with MONGODB_URI, it may be running. In
development, the home page of an empty site has a button that does the same.`,
	parse: func(flags *flag.FlagSet, args []string) (Run, error) {
		_, err := positional(flags, args)
		return seed, err
	},
}

func seed(ctx context.Context, s Site) error {
	hasher, err := password.NewHasher(s.Config.BcryptCost)
	if err != nil {
		return err
	}
	return s.with(ctx, func(data *Data) error {
		added, err := sample.Filler{Site: data.Site, Files: data.Media, Hasher: hasher}.Fill(ctx)
		if err == nil {
			s.say("%s", added)
		}
		return err
	})
}
