package sample

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tokentube/models"
	"tokentube/utils/media"
)

func TestSampleClipsAreSmallAndWide(t *testing.T) {
	store, err := media.Open(t.Context(), "", t.TempDir(), media.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	clips, err := filepath.Glob("files/*.mp4")
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

// A file that no sample uses would be embedded for nothing.
func TestAllFilesAreUsed(t *testing.T) {
	found, err := filepath.Glob("files/*.*")
	if err != nil {
		t.Fatal(err)
	}
	found = slices.DeleteFunc(found, func(name string) bool { return strings.HasSuffix(name, ".md") })
	want := []string{}
	for _, c := range channels {
		want = append(want, "files/"+c.banner+".jpg")
	}
	for _, p := range allPosts() {
		if p.file != "" {
			want = append(want, "files/"+p.file+".jpg")
		}
		if p.kind == models.Video {
			want = append(want, "files/"+p.file+".mp4")
		}
	}
	slices.Sort(want)
	want = slices.Compact(want)
	if !slices.Equal(found, want) {
		t.Errorf("there are %q, and named are %q", found, want)
	}
}
