package media

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tokentube/utils/apperr"
)

// The files in testdata/videos are test patterns of one second, as written by ffmpeg. Their names describe them.
func TestVideosAsProgramsWriteThem(t *testing.T) {
	playable := map[string]float64{ // seconds, according to ffprobe
		"av1.mp4": 1, "av1.webm": 1, "flac.mp4": 1, "fragments-dash.mp4": 1, "fragments-index.mp4": 1, "fragments.mp4": 1,
		"h264-aac.mp4": 1, "live.webm": 1, "mp3.mp4": 1, "opus.mp4": 1, "vp8-vorbis.webm": 1, "vp9-10.webm": 1, "vp9-opus.webm": 1,
	}
	refused := map[string]string{
		"ac3.mp4": "the sound", "eac3.mp4": "the sound", "alac.mp4": "the sound", "av1-444.mp4": "AV1 with 12 bit",
		"high10.mp4": "10 bit", "high422.mp4": "4:2:2", "high444.mp4": "4:4:4", "vp9-444.webm": "4:4:4",
	}
	files, err := filepath.Glob("testdata/videos/*")
	if err != nil || len(files) != len(playable)+len(refused) {
		t.Fatalf("%d files, %v", len(files), err)
	}
	s := open(t, Limits{})
	for _, file := range files {
		name := filepath.Base(file)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.SaveVideo(t.Context(), bytes.NewReader(data))
		if part, bad := refused[name]; bad {
			wantCode(t, err, apperr.UnsupportedMedia, part)
			wantCode(t, err, apperr.UnsupportedMedia, "xport the video")
			continue
		}
		if seconds, known := playable[name]; err != nil || !known || got.Duration < seconds-0.05 || got.Duration > seconds+0.1 || got.Width != 64 || got.Height != 36 {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestSoundInMP4(t *testing.T) {
	clock, picture := clockBox("mvhd", 0, 1000, 2500), trackBox("vide", "avc1", nil)
	save := func(sounds ...[]byte) error {
		tracks := [][]byte{clock, picture}
		for _, entry := range sounds {
			tracks = append(tracks, trackWith("soun", entry, 0, nil))
		}
		_, err := open(t, Limits{}).SaveVideo(t.Context(), bytes.NewReader(slices.Concat(ftyp, movie(tracks...), mdat)))
		return err
	}
	aac, dts := entryBox("mp4a"), entryBox("dtsc")
	inWave := soundBox("mp4a", slices.Concat(make([]byte, 16), box("wave", box("frma", []byte("mp4a")), esds(0x40, 2))))
	inWave[17] = 1 // the version of QuickTime
	for name, sounds := range map[string][][]byte{
		"aac": {aac}, "he-aac": {soundBox("mp4a", esds(0x40, 5))}, "mp3": {soundBox("mp4a", esds(0x6b, 0))}, "opus": {entryBox("Opus")},
		"flac": {entryBox("fLaC")}, "quicktime's aac": {inWave}, "none": nil, "another language in dts": {aac, dts},
	} {
		if err := save(sounds...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, sounds := range map[string][][]byte{
		"ac-3": {entryBox("ac-3")}, "e-ac-3": {entryBox("ec-3")}, "dts": {dts}, "alac": {entryBox("alac")}, "pcm": {entryBox("ipcm")},
		"quicktime's pcm": {entryBox("sowt")}, "amr": {entryBox("samr")}, "dts in mp4a": {soundBox("mp4a", esds(0xa9, 0))},
		"ac-3 in mp4a": {soundBox("mp4a", esds(0xa5, 0))}, "usac": {soundBox("mp4a", box("esds", words(0), []byte{3, 22, 0, 1, 0, 4, 17, 0x40}, make([]byte, 12), []byte{5, 2, 0xf9, 0x46}))},
		"nothing says what": {soundBox("mp4a", nil)}, "cut off": {soundBox("mp4a", box("esds", words(0), []byte{3, 0xff}))}, "two kinds": {dts, entryBox("ac-3")},
	} {
		err := save(sounds...)
		if !apperr.Is(err, apperr.UnsupportedMedia) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSoundInWebM(t *testing.T) {
	save := func(codecs ...string) error {
		tracks := webmTrack("V_VP8")
		for i, codec := range codecs {
			tracks = append(tracks, element(idTrackEntry, element(idNumber, []byte{byte(i + 2)}), element(idType, []byte{2}), element(idCodec, []byte(codec)))...)
		}
		data := append(webmHead("webm"), element(idSegment, webmInfo(1), element(idTracks, tracks), clusterOf("V_VP8", 0))...)
		_, err := open(t, Limits{}).SaveVideo(t.Context(), bytes.NewReader(data))
		return err
	}
	for _, good := range [][]string{nil, {"A_OPUS"}, {"A_VORBIS"}, {"A_AC3", "A_OPUS"}} {
		if err := save(good...); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"A_AC3", "A_EAC3", "A_DTS", "A_PCM/INT/LIT", "A_FLAC", "A_AAC", "A_MPEG/L3", "A_SOMETHING/VERY/LONG"} {
		wantCode(t, save(bad), apperr.UnsupportedMedia, "the sound")
	}
}

func TestProfilesOfH264(t *testing.T) {
	save := func(config []byte) error {
		entry := box("avc1", append(make([]byte, 24), 1, 64, 0, 180), make([]byte, 50), box("avcC", config))
		data := slices.Concat(ftyp, movie(clockBox("mvhd", 0, 1000, 2500), trackWith("vide", entry, 3000, nil)), mdat)
		_, err := open(t, Limits{}).SaveVideo(t.Context(), bytes.NewReader(data))
		return err
	}
	for _, profile := range []byte{66, 77, 88, 100} {
		if err := save(avcC(profile)); err != nil {
			t.Errorf("%d: %v", profile, err)
		}
	}
	for _, profile := range []byte{44, 110, 122, 244, 118, 128, 83, 0} {
		wantCode(t, save(avcC(profile)), apperr.UnsupportedMedia, "High profile, 8 bit, 4:2:0")
	}
	lying := avcC(100)
	lying[9] = 110 // what decoders use
	wantCode(t, save(lying), apperr.UnsupportedMedia, "10 bit")
	wantCode(t, save(nil), apperr.Invalid, "damaged")
}

// A live recording: clusters of unknown size, and no duration. It may have been cut out of a longer one.
func TestLengthOfALiveWebM(t *testing.T) {
	sound := element(idTrackEntry, element(idNumber, []byte{2}), element(idType, []byte{2}), element(idCodec, []byte("A_OPUS")))
	first := live(idCluster, element(idTimestamp, []byte{0x03, 0xe8}), block("V_VP8", 0), block("V_VP8", 40))
	second := live(idCluster, element(idTimestamp, []byte{0x0b, 0xb8}), block("V_VP8", 0), block("V_VP8", 500),
		element(idBlockGroup, element(idBlock, []byte{0x82, 0x02, 0x00, 0, 1, 2, 3}), element(idBlockDuration, []byte{100})))
	cues := element(0x1c53bb6b, make([]byte, 30))
	data := append(webmHead("webm"), live(idSegment, element(idInfo), element(idTracks, webmTrack("V_VP8"), sound), first, second, cues, first)...)
	got, err := open(t, Limits{}).SaveVideo(t.Context(), bytes.NewReader(data))
	// From 1.0 to 4.0: the pictures end at 3.5 + 0.5, the sound at 3.512 + 0.1.
	if err != nil || got.Duration < 2.99 || got.Duration > 3.01 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestLengthOfFragments(t *testing.T) {
	trex := box("trex", words(0, 7, 1, 100, 50, 0))
	head := box("tkhd", words(0, 0, 0, 7), make([]byte, 68))
	described := movie(clockBox("mvhd", 0, 1000, 0), box("trak", head, box("mdia", clockBox("mdhd", 0, 1000, 0),
		box("hdlr", words(0, 0), []byte("vide"), make([]byte, 13)), box("minf", box("stbl", box("stsd", words(0, 1), entryBox("avc1")))))), box("mvex", trex))
	fragment := func(at uint32, run []byte) []byte {
		return slices.Concat(box("moof", box("traf", box("tfhd", words(0x08, 7, 250)), box("tfdt", words(0, at)), run)), box("mdat", make([]byte, 500)))
	}
	plain := box("trun", words(0, 4))                                                           // four of 250 ms and 50 bytes
	own := box("trun", words(0x00000f05, 2, 0, 0, 300, 60, 0, 0, 700, 70, 0, 0))                // two with their own values
	long := box("trun", slices.Concat(words(0x00000100, 2_000_000_000), make([]byte, 40)))      // more than there are
	heavy := box("trun", words(0, 1_000_000))                                                   // more bytes than were received
	nobody := box("moof", box("traf", box("tfhd", words(0x08, 7, 250)), box("tfdt", words(0)))) // no samples
	save := func(parts ...[]byte) (Video, error) {
		return open(t, Limits{}).SaveVideo(t.Context(), bytes.NewReader(slices.Concat(append([][]byte{ftyp, described}, parts...)...)))
	}
	for name, c := range map[string]struct {
		parts   [][]byte
		seconds float64
	}{
		"one": {[][]byte{fragment(0, plain)}, 1}, "two": {[][]byte{fragment(0, plain), fragment(1000, own)}, 2},
		"cut out of a live stream": {[][]byte{fragment(90_000, own), fragment(91_000, plain)}, 2}, "a gap": {[][]byte{fragment(0, plain), fragment(9000, plain)}, 10},
	} {
		if got, err := save(c.parts...); err != nil || got.Duration != c.seconds {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, parts := range map[string][][]byte{
		"a table past its end": {fragment(0, long)}, "more bytes than came": {fragment(0, heavy)}, "no samples": {nobody, mdat}, "no fragments": {mdat},
	} {
		if got, err := save(parts...); !apperr.Is(err, apperr.Invalid) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// random is meaningless content that is not held in memory.
func random(n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{1}), n)
}

// A valid beginning doesn't make a video: what follows is inspected too, and rejected where it becomes invalid.
func TestRandomBytesAreNoVideo(t *testing.T) {
	const many = 20 << 20
	head := func(parts ...[]byte) []byte {
		return append(webmHead("webm"), live(idSegment, append([][]byte{webmInfo(1), element(idTracks, webmTrack("V_VP8"))}, parts...)...)...)
	}
	sized := func(id uint32, n uint32) []byte { return append(idBytes(id), words(1<<28|n)...) }
	good := clusterOf("V_VP8", 0)
	moov := movie(clockBox("mvhd", 0, 1000, 2500), trackBox("vide", "avc1", nil))
	for name, begin := range map[string][]byte{
		"in a cluster":                  slices.Concat(head(), sized(idCluster, many)),
		"in a live cluster":             head(live(idCluster)),
		"after a good cluster":          head(good),
		"in a second cluster":           slices.Concat(head(good), sized(idCluster, many)),
		"in a second live cluster":      slices.Concat(head(good), live(idCluster)),
		"in one block":                  slices.Concat(head(good), sized(idCluster, many), sized(idSimpleBlock, many-8), []byte{0x81, 0, 0, 0}),
		"in a block of no track":        slices.Concat(head(good), sized(idCluster, many), sized(idSimpleBlock, many-8), []byte{0x85, 0, 0, 0}),
		"in an empty space":             slices.Concat(head(good), sized(idVoid, many)),
		"in an attachment":              slices.Concat(head(good), sized(0x1941a469, many)),
		"behind the end":                webmFile("V_VP8"),
		"in an mp4's unused part":       slices.Concat(ftyp, moov, words(many), []byte("mdat")),
		"in an mp4's free box":          slices.Concat(ftyp, moov, mdat, words(many), []byte("free")),
		"behind an mp4":                 slices.Concat(ftyp, moov, mdat),
		"in an mp4 without a last box":  slices.Concat(ftyp, moov, words(0), []byte("mdat")),
		"in a box of an unknown kind":   slices.Concat(ftyp, moov, mdat, words(many), []byte("abcd")),
		"in a place for later, in moov": slices.Concat(ftyp, words(many+uint32(len(moov))), moov[4:]),
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, Limits{})
			got, err := s.SaveVideo(t.Context(), io.MultiReader(bytes.NewReader(begin), random(many-16)))
			wantCode(t, err, apperr.Invalid, "damaged")
			if left := s.stored(t); len(left) != 0 {
				t.Errorf("%+v stays: %v", got, left)
			}
		})
	}
}

func TestSamplesThatAreNotThere(t *testing.T) {
	clock := clockBox("mvhd", 0, 1000, 2500)
	far := bytes.ReplaceAll(trackBox("vide", "avc1", nil), words(0, 1, 40), words(0, 1, 1<<30))
	for name, track := range map[string][]byte{
		"more bytes than came": trackWith("vide", entryBox("avc1"), 3001, nil), "none": trackWith("vide", entryBox("avc1"), 0, nil), "past the end": far,
	} {
		_, err := open(t, Limits{}).SaveVideo(t.Context(), bytes.NewReader(slices.Concat(ftyp, movie(clock, track), mdat)))
		if !apperr.Is(err, apperr.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := movie(slices.Concat(clock, bytes.Repeat(trackBox("vide", "avc1", nil), mostTracks+1)))
	_, err := open(t, Limits{}).SaveVideo(t.Context(), bytes.NewReader(slices.Concat(ftyp, many, mdat)))
	wantCode(t, err, apperr.Invalid, "damaged")
}

// Each codec's frames are recognized by their beginning.
func TestFramesOfAnotherCodec(t *testing.T) {
	for _, codec := range []string{"V_VP8", "V_VP9", "V_AV1"} {
		for other := range firstBytes {
			data := append(webmHead("webm"), element(idSegment, webmInfo(1), element(idTracks, webmTrack(codec)), clusterOf(other, 0))...)
			_, err := open(t, Limits{}).SaveVideo(t.Context(), bytes.NewReader(data))
			if ok := err == nil; ok != (codec == other) {
				t.Errorf("%s in %s: %v", other, codec, err)
			}
		}
	}
}
