package commands_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tokentube/commands"
	"tokentube/e2e/testsite"
	"tokentube/utils/media"
)

func TestSampleClipsAreSmallAndWide(t *testing.T) {
	store, err := media.Open(t.Context(), "", t.TempDir(), media.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	clips, err := filepath.Glob("samples/*.mp4")
	if err != nil || len(clips) != 4 {
		t.Fatalf("the clips are %q, %v", clips, err)
	}
	for _, clip := range clips {
		content, err := os.ReadFile(clip)
		if err != nil {
			t.Fatal(err)
		}
		v, err := store.SaveVideo(t.Context(), bytes.NewReader(content))
		if err != nil || v.Width != 1280 || v.Height != 720 || v.Duration < 5 || v.Duration > 8 || v.Size > 350_000 {
			t.Errorf("%s is %+v, %v", clip, v, err)
		}
		if at := bytes.Index(content, []byte("moov")); at < 0 || at > bytes.Index(content, []byte("mdat")) {
			t.Errorf("the index of %s does not come first", clip)
		}
	}
}

// A file that no sample names would be embedded for nothing.
func TestSeedUsesAllOfItsFiles(t *testing.T) {
	found, err := filepath.Glob("samples/*.*")
	if err != nil {
		t.Fatal(err)
	}
	found = slices.DeleteFunc(found, func(name string) bool { return strings.HasSuffix(name, ".md") })
	want := commands.SampleFiles()
	slices.Sort(want)
	if !slices.Equal(found, want) {
		t.Errorf("there are %q, and named are %q", found, want)
	}
}

func TestSeedFillsASiteOnce(t *testing.T) {
	cfg := testsite.Config(t)
	done(t, cfg, []string{"seed"}, "Added 3 channels with 13 posts. Log in as northern-sky")
	kinds := map[string]int{}
	for _, folder := range []string{"private", "public"} {
		files, err := os.ReadDir(filepath.Join(cfg.MediaDir(), folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			kinds[folder+filepath.Ext(file.Name())]++
		}
	}
	// Videos and photos with their thumbnails; the banners and the initials.
	if kinds["private.mp4"] != 4 || kinds["private.jpg"] != 5+4+5 || kinds["public.jpg"] != 3+3 || len(kinds) != 3 {
		t.Errorf("the files are %v", kinds)
	}
	refused(t, cfg, []string{"seed"}, "the sample content was already added")
}
