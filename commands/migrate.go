package commands

import (
	"context"
	"errors"
	"flag"
)

var migrateCommand = command{
	name:  "migrate",
	brief: "copy an embedded site into the MongoDB of MONGODB_URI",
	help: `It copies all documents from DATA_DIR into the database MONGODB_DATABASE of
MONGODB_URI, creates the indexes, and compares the counts. Stop the embedded site
first; it is only read and stays as it is. The MongoDB database must be empty. If the
copy is interrupted, run it again: it continues, and compares what is already there.

Media files are not copied: keep DATA_DIR, or copy its media folder into a bucket and
set MEDIA_URL. With MONGODB_URI, the secrets must be in the environment: set
ACCESS_TOKEN_SECRET and REFRESH_TOKEN_SECRET to those in DATA_DIR/secrets.env, or
everyone will have to log in again.`,
	parse: func(flags *flag.FlagSet, args []string) (Run, error) {
		_, err := positional(flags, args)
		return migrate, err
	},
}

func migrate(ctx context.Context, s Site) error {
	if s.Config.MongoURI == "" {
		return errors.New("MONGODB_URI must name the MongoDB to copy the site into")
	}
	source, err := openStopped(s.Config)
	if err != nil {
		return err
	}
	defer func() { _ = source.Close() }()
	data, err := Open(ctx, s.Config, s.Logs) // not prepared: the indexes are created after the documents are copied
	if err != nil {
		return err
	}
	defer data.Close()
	copied, err := data.DB.CopyFrom(ctx, source, s.say)
	if err != nil || !copied {
		return err
	}
	s.say("The site is in the database %s of the MongoDB, and every count agrees.", s.Config.MongoDatabase)
	sayWhatIsLeft(s)
	return nil
}

func sayWhatIsLeft(s Site) {
	cfg := s.Config
	if cfg.MediaURL == "" {
		s.say("The media files stay in %s. To serve from several machines, copy that folder into a bucket and set MEDIA_URL.", cfg.MediaDir())
	}
	if exists(cfg.SecretsFile()) {
		s.say("The secrets of the site are in %s: ACCESS_TOKEN_SECRET and REFRESH_TOKEN_SECRET must be set to them, or everybody must log in again.", cfg.SecretsFile())
	}
	s.say("%s is not read any more: keep it as a backup of this moment, or delete it.", cfg.DatabaseFile())
}
