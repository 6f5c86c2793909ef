package media

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"tokentube/utils/apperr"
)

func TestSaveVideo(t *testing.T) {
	track := trackBox("vide", "avc1", nil)
	sound := trackWith("soun", entryBox("mp4a"), 0, nil)
	large := slices.Concat(words(1), []byte("mdat"), words(0, 3016), make([]byte, 3000))
	cases := []struct {
		name    string
		data    []byte
		kind    string
		seconds float64
		w, h    int
	}{
		{"h264", mp4File("avc1"), typeMP4, 2.5, 320, 180},
		{"h264, parameters inside", mp4File("avc3"), typeMP4, 2.5, 320, 180},
		{"av1", mp4File("av01"), typeMP4, 2.5, 320, 180},
		{"index at the end", slices.Concat(ftyp, mdat, movie(clockBox("mvhd", 1, 600, 1500), sound, track)), typeMP4, 2.5, 320, 180},
		{"64-bit size", slices.Concat(ftyp, movie(clockBox("mvhd", 0, 1000, 2500), track), large), typeMP4, 2.5, 320, 180},
		{"size to the end", slices.Concat(ftyp, movie(clockBox("mvhd", 0, 1000, 2500), track), words(0), []byte("mdat"), make([]byte, 3000)), typeMP4, 2.5, 320, 180},
		{"length in the track alone", slices.Concat(ftyp, movie(clockBox("mvhd", 0, 0, 0), track), mdat), typeMP4, 2.5, 320, 180},
		{"held upright", slices.Concat(ftyp, movie(clockBox("mvhd", 0, 1000, 2500), trackBox("vide", "avc1", turned())), mdat), typeMP4, 2.5, 180, 320},
		{"cover art beside", slices.Concat(ftyp, movie(clockBox("mvhd", 0, 1000, 2500), trackBox("vide", "jpeg", nil), track), mdat), typeMP4, 2.5, 320, 180},
		{"fragments", slices.Concat(ftyp, movie(clockBox("mvhd", 0, 1000, 0), box("mvex", box("mehd", words(0, 2500))), track), mdat), typeMP4, 2.5, 320, 180},
		{"padding at the end", append(mp4File("avc1"), 0, 0, 0), typeMP4, 2.5, 320, 180},
		{"vp8", webmFile("V_VP8"), typeWebM, 2.5, 320, 180},
		{"vp9", webmFile("V_VP9"), typeWebM, 2.5, 320, 180},
		{"av1 in webm", webmFile("V_AV1"), typeWebM, 2.5, 320, 180},
		{"browser's recording", append(webmHead("webm"), live(idSegment, element(idInfo), element(idTracks, webmTrack("V_VP8")), live(idCluster, element(idTimestamp, []byte{0}), block("V_VP8", 0), block("V_VP8", 40)))...), typeWebM, 0.08, 320, 180},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, Limits{})
			got, err := s.SaveVideo(t.Context(), bytes.NewReader(c.data))
			if err != nil {
				t.Fatal(err)
			}
			want := Video{got.Name, c.kind, c.seconds, c.w, c.h, int64(len(c.data))}
			if got != want || !names.MatchString(got.Name) || got.Name[:8] != private {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if !bytes.Equal(s.content(t, got.Name), c.data) {
				t.Error("other bytes were stored")
			}
		})
	}
}

func TestVideoRefused(t *testing.T) {
	track, clock := trackBox("vide", "avc1", nil), clockBox("mvhd", 0, 1000, 2500)
	flat := slices.Concat(ftyp, movie(clockBox("mvhd", 0, 0, 0), box("trak")), mdat)
	nested := box("stbl")
	for range 1000 {
		nested = box("mdia", nested)
	}
	segment := func(parts ...[]byte) []byte { return append(webmHead("webm"), element(idSegment, parts...)...) }
	wrong, bad := apperr.UnsupportedMedia, apperr.Invalid
	cases := []struct {
		name string
		data []byte
		code apperr.Code
		part string
	}{
		{"empty", nil, bad, "empty"},
		{"text", []byte("hello"), wrong, "must be MP4"},
		{"picture", pngBomb(1, 1), wrong, "must be MP4"},
		{"heic", box("ftyp", []byte("heic\x00\x00\x00\x00")), wrong, "must be MP4"},
		{"quicktime", box("ftyp", []byte("qt  \x00\x00\x00\x00")), wrong, ".mov"},
		{"old quicktime", movie(clock, track), wrong, ".mov"},
		{"hevc", mp4File("hvc1"), wrong, "HEVC"},
		{"other hevc", mp4File("hev1"), wrong, "HEVC"},
		{"mpeg4", mp4File("mp4v"), wrong, "can't play"},
		{"only sound", slices.Concat(ftyp, movie(clock, trackBox("soun", "mp4a", nil)), mdat), wrong, "only sound"},
		{"no index", slices.Concat(ftyp, mdat), bad, "damaged"},
		{"two indexes", slices.Concat(ftyp, movie(clock, track), movie(clock, track), mdat), bad, "damaged"},
		{"no pictures", slices.Concat(ftyp, movie(clock, track)), bad, "damaged"},
		{"no length", flat, wrong, "only sound"},
		{"length zero", bytes.ReplaceAll(mp4File("avc1"), words(1000, 2500), words(1000, 0)), bad, "damaged"},
		{"length of months", bytes.ReplaceAll(mp4File("avc1"), words(1000, 2500), words(1, 1<<31)), bad, "damaged"},
		{"no size", bytes.ReplaceAll(mp4File("avc1"), []byte{1, 64, 0, 180}, make([]byte, 4)), bad, "damaged"},
		{"box of size 3", slices.Concat(ftyp, movie(words(3), []byte("trak")), mdat), bad, "damaged"},
		{"box past its parent", slices.Concat(ftyp, movie(words(1<<31), []byte("trak")), mdat), bad, "damaged"},
		{"box past 2^63", slices.Concat(ftyp, words(1), []byte("mdat"), words(math.MaxUint32, math.MaxUint32)), bad, "damaged"},
		{"index to the end", slices.Concat(ftyp, words(0), movie(clock, track)[4:]), bad, "damaged"},
		{"nested without end", slices.Concat(ftyp, movie(box("trak", nested)), mdat), bad, "damaged"},
		{"matroska", append(webmHead("matroska"), 0), wrong, "Matroska"},
		{"theora", webmFile("V_THEORA"), wrong, "can't play"},
		{"webm without picture", segment(webmInfo(1), element(idTracks), clusterOf("V_VP8", 0)), wrong, "only sound"},
		{"webm without clusters", segment(webmInfo(1), element(idTracks, webmTrack("V_VP8"))), bad, "damaged"},
		{"webm of no number", segment(webmInfo(math.NaN()), element(idTracks, webmTrack("V_VP8")), clusterOf("V_VP8", 0)), bad, "damaged"},
		{"webm of infinite length", segment(webmInfo(math.Inf(1)), element(idTracks, webmTrack("V_VP8")), clusterOf("V_VP8", 0)), bad, "damaged"},
		{"webm of minus a second", segment(webmInfo(-1), element(idTracks, webmTrack("V_VP8")), clusterOf("V_VP8", 0)), bad, "damaged"},
		{"webm element past its parent", segment(element(idInfo, []byte{0x44, 0x89, 0x88})), bad, "damaged"},
		{"webm endless info", segment(live(idInfo)), bad, "damaged"},
		{"webm zero id", append(webmHead("webm"), 0, 0), bad, "damaged"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, Limits{})
			_, err := s.SaveVideo(t.Context(), bytes.NewReader(c.data))
			wantCode(t, err, c.code, c.part)
			if left := s.stored(t); len(left) != 0 {
				t.Errorf("left %v", left)
			}
		})
	}
}

// Wherever an upload is cut off, nothing is kept and nothing breaks.
func TestVideoCut(t *testing.T) {
	s := open(t, Limits{})
	for _, whole := range [][]byte{mp4File("avc1"), webmFile("V_VP9")} {
		for n := range len(whole) {
			if n > 1000 && n < len(whole)-20 {
				continue
			}
			if v, err := s.SaveVideo(t.Context(), bytes.NewReader(whole[:n])); err == nil {
				t.Fatalf("%d of %d bytes became %+v", n, len(whole), v)
			}
			if left := s.stored(t); len(left) != 0 {
				t.Fatalf("%d bytes left %v", n, left)
			}
		}
	}
}

func TestVideoBytes(t *testing.T) {
	data := mp4File("avc1")
	if _, err := open(t, Limits{VideoBytes: int64(len(data))}).SaveVideo(t.Context(), bytes.NewReader(data)); err != nil {
		t.Error(err)
	}
	s := open(t, Limits{VideoBytes: int64(len(data) - 1)})
	_, err := s.SaveVideo(t.Context(), bytes.NewReader(data))
	wantCode(t, err, apperr.TooLarge, "larger than 3 kB")
	s = open(t, Limits{})
	body := http.MaxBytesReader(httptest.NewRecorder(), io.NopCloser(bytes.NewReader(data)), 2<<10)
	_, err = s.SaveVideo(t.Context(), body)
	wantCode(t, err, apperr.TooLarge, "larger than 2 kB")
	if left := s.stored(t); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

// cancelling cancels the context in the middle of the upload.
type cancelling struct {
	r      io.Reader
	cancel func()
	after  int
}

func (c *cancelling) Read(p []byte) (int, error) {
	n, err := c.r.Read(p[:min(len(p), 500)])
	if c.after -= n; c.after < 0 {
		c.cancel()
	}
	return n, err
}

func TestVideoCancelled(t *testing.T) {
	data := mp4File("avc1")
	for _, after := range []int{0, 1000, len(data) - 1} {
		s := open(t, Limits{})
		ctx, cancel := context.WithCancel(t.Context())
		_, err := s.SaveVideo(ctx, &cancelling{bytes.NewReader(data), cancel, after})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("after %d bytes: %v", after, err)
		}
		if left := s.stored(t); len(left) != 0 {
			t.Errorf("after %d bytes: left %v", after, left)
		}
		cancel()
	}
}

// zeros is a long video body that is not held in memory.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestVideoTakesLittleMemory(t *testing.T) {
	const length = 200 << 20
	s, err := Open(t.Context(), "", t.TempDir(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	body := io.MultiReader(bytes.NewReader(ftyp),
		bytes.NewReader(append(words(length+8), "mdat"...)), io.LimitReader(zeros{}, length),
		bytes.NewReader(movie(clockBox("mvhd", 0, 1000, 2500), trackWith("vide", entryBox("avc1"), length, nil))))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := s.SaveVideo(t.Context(), body)
	runtime.ReadMemStats(&after)
	if err != nil || got.Size < length {
		t.Fatalf("got %+v, %v", got, err)
	}
	if cost := after.TotalAlloc - before.TotalAlloc; cost > 4<<20 {
		t.Errorf("200 MB cost %d bytes of memory", cost)
	}
}

func FuzzVideo(f *testing.F) {
	f.Add(mp4File("avc1"))
	f.Add(slices.Concat(ftyp, mdat, movie(clockBox("mvhd", 1, 600, 1500), box("mvex", box("mehd", words(1<<24, 0, 5))), trackBox("vide", "av01", turned()))))
	f.Add(webmFile("V_VP9"))
	f.Add(append(webmHead("webm"), live(idSegment, webmInfo(1), element(idTracks, webmTrack("V_VP8")), live(idCluster))...))
	files, err := filepath.Glob("testdata/videos/*")
	if err != nil || len(files) == 0 {
		f.Fatal(len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, inspect, err := videoFormat(data[:min(len(data), 16)])
		if err != nil {
			return
		}
		src := &source{ctx: context.Background(), r: bytes.NewReader(data), limit: 1 << 20, what: "video"}
		var stored bytes.Buffer
		got, err := passThrough(inspect, src, src, &sink{w: &stored})
		if err == nil && (!bytes.Equal(stored.Bytes(), data) || got.check() != nil) {
			t.Errorf("got %+v and %d of %d bytes", got, stored.Len(), len(data))
		}
		if err != nil && apperr.From(err).Code == apperr.Internal {
			t.Errorf("a bad file is not our fault: %v", err)
		}
	})
}
