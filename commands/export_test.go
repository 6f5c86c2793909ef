package commands

import (
	"context"

	"tokentube/config"
	"tokentube/models"
)

// Names lets tests walk the commands.
func Names() (list []string) {
	for _, c := range all {
		list = append(list, c.name)
	}
	return list
}

// RestoreTo is a restore with a known name for what is put aside.
func RestoreTo(ctx context.Context, cfg config.Config, path, aside string) error {
	file, err := openBackup(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	if _, err := stage(ctx, cfg.DataDir, file); err != nil {
		return err
	}
	return commitRestore(cfg.DataDir, aside)
}

// SampleFiles are the files that the samples name.
func SampleFiles() []string {
	var names []string
	for _, channel := range samples {
		names = append(names, "samples/"+channel.banner+".jpg")
		for _, post := range channel.posts {
			if post.file != "" {
				names = append(names, "samples/"+post.file+".jpg")
			}
			if post.kind == models.Video {
				names = append(names, "samples/"+post.file+".mp4")
			}
		}
	}
	return names
}
