package commands_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tokentube/e2e/testsite"
)

func TestRepairPrintsWhatItMended(t *testing.T) {
	cfg := prepared(t, func(s *testsite.Site) { upload(t, s.SignIn("bob")) })
	done(t, cfg, []string{"repair"}, "Nothing needed repair.")
	stray := filepath.Join(cfg.MediaDir(), "public", fmt.Sprintf("%032x.png", 1))
	check(t, os.MkdirAll(filepath.Dir(stray), 0o700))
	check(t, os.WriteFile(stray, []byte("of a killed upload"), 0o600))
	old := time.Now().Add(-5 * time.Hour)
	check(t, os.Chtimes(stray, old, old))
	done(t, cfg, []string{"repair"}, "file public/0000", "no document names it", "Fixed 1 problem.")
	if _, err := os.Stat(stray); err == nil {
		t.Error("it is still there")
	}
	pictures, err := filepath.Glob(filepath.Join(cfg.MediaDir(), "*", "*.[jp][pn]g"))
	check(t, err)
	if len(pictures) != 5 {
		t.Fatalf("there are %d pictures: two avatars, a photo, its preview and its thumbnail", len(pictures))
	}
	for _, picture := range pictures {
		check(t, os.Remove(picture))
	}
	done(t, cfg, []string{"repair"}, "its avatar is lost", "its thumbnail is lost", "its preview is lost", "its media is lost", "Nothing needed repair.", "Lost files: 5.")

	site := testsite.Start(t, cfg)
	if cfg.MongoURI == "" {
		refused(t, cfg, []string{"repair"}, "the site is running", "stop it first", "docker compose stop", "in use by another process")
		refused(t, cfg, []string{"compact"}, "the site is running", "stop it first")
		refused(t, cfg, []string{"seed"}, "the site is running", "stop it first")
		refused(t, cfg, []string{"admin", "list"}, "the site is running", "stop it first")
	} else {
		done(t, cfg, []string{"repair"}, "Nothing needed repair") // while the site is running
	}
	site.Close()
}

// Partial files left by a kill are removed at the start and by repair. If other processes may be working, recent ones
// stay, and repair says so.
func TestHalfWrittenFilesGo(t *testing.T) {
	cfg := prepared(t)
	draft := filepath.Join(cfg.MediaDir(), "private", fmt.Sprintf("%032x.mp4.tmp", 1))
	half := func(age time.Duration) {
		check(t, os.WriteFile(draft, []byte("half of a video"), 0o600))
		then := time.Now().Add(-age)
		check(t, os.Chtimes(draft, then, then))
	}
	gone := func() bool { _, err := os.Stat(draft); return errors.Is(err, os.ErrNotExist) }
	half(time.Second)
	if cfg.MongoURI != "" {
		done(t, cfg, []string{"repair"}, "Nothing needed repair", "too young to be told from uploads under way: 1.")
		half(5 * time.Hour)
	}
	if cfg.MongoURI != "" {
		done(t, cfg, []string{"repair"}, "half-written files: removed 1", "Fixed 1 problem.")
	} else {
		done(t, cfg, []string{"repair"}, "Nothing needed repair") // as the next start would
	}
	if !gone() {
		t.Error("it is there after repair")
	}
	if cfg.MongoURI != "" {
		return
	}
	half(0)
	site := testsite.Start(t, cfg)
	if !gone() {
		t.Error("it is there after a start")
	}
	site.Close()
}
