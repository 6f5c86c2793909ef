package commands

import (
	"context"
	"errors"

	"tokentube/config"
)

// Names lets tests walk the commands.
func Names() (list []string) {
	for _, c := range all {
		list = append(list, c.name)
	}
	return list
}

// RestoreTo is a restore with a given name for the folder of replaced files.
func RestoreTo(ctx context.Context, cfg config.Config, path, aside string) error {
	if err := stageFrom(ctx, cfg, path); err != nil {
		return err
	}
	return commitRestore(cfg.DataDir, aside)
}

// RestoreKilled is a restore that is killed after this many moves and half of the next.
func RestoreKilled(ctx context.Context, cfg config.Config, path, aside string, moves int) error {
	if err := errors.Join(stageFrom(ctx, cfg, path), commit(cfg.DataDir, aside)); err != nil {
		return err
	}
	p, err := readPlan(cfg.DataDir)
	for i, m := range p.Moves {
		_, to, kept := m.in(cfg.DataDir)
		switch {
		case i < moves:
			err = errors.Join(err, m.do(cfg.DataDir))
		case i == moves:
			err = errors.Join(err, putAside(to, kept))
		}
	}
	return err
}

func stageFrom(ctx context.Context, cfg config.Config, path string) error {
	file, err := openBackup(path)
	if err != nil {
		return err
	}
	_, err = stage(ctx, cfg.DataDir, file)
	return errors.Join(err, file.Close())
}
