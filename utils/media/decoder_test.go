package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tokentube/utils/apperr"
)

// JPEGs that every browser can show.
func TestUnusualJPEGs(t *testing.T) {
	s := open(t, Limits{})
	ordinary := jpegOf(t, shapes(64, 48))
	endless := ordinary[:len(ordinary)-2]
	orange := []int{20, -60, 60}
	for name, data := range map[string][]byte{
		"colour sampled in two ways": flatJPEG{w: 50, h: 30, sampling: []sampling{{2, 2}, {1, 1}, {1, 2}}, colour: orange}.bytes(),
		"progressive":                flatJPEG{w: 50, h: 30, sampling: []sampling{{2, 2}, {1, 1}, {1, 1}}, colour: orange, scans: 9}.bytes(),
		"no end":                     endless,
		"no end, text behind it":     append(bytes.Clone(endless), "SEFH and what else a phone writes"...),
		"no end, markers behind it":  append(bytes.Clone(endless), "SEF\xff\x01\x00\x00\xff\xd8\xff\xe1\x00\x04ab\xff\xda\x00\x08\x01\x01"...),
		"no end, another behind it":  append(bytes.Clone(endless), ordinary...),
		"a picture behind it":        append(bytes.Clone(ordinary), ordinary...),
	} {
		got, err := savePhoto(t.Context(), s, data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, at := color.RGBA{232, 126, 42, 255}, image.Pt(45, 25)
		if got.Width == 64 {
			want, at = green, image.Pt(48, 40)
		}
		if img := s.load(t, got.Name); !near(img, at.X, at.Y, want) {
			t.Errorf("%s: %v, want %v", name, img.At(at.X, at.Y), want)
		}
	}
}

// Only the first frame of an animation is used.
func TestFirstFrame(t *testing.T) {
	paletted := func(c color.Color) *image.Paletted {
		img := image.NewPaletted(image.Rect(0, 0, 64, 48), color.Palette{c})
		return img
	}
	var moving bytes.Buffer
	err := gif.EncodeAll(&moving, &gif.GIF{Image: []*image.Paletted{paletted(green), paletted(red)}, Delay: []int{10, 10}})
	if err != nil {
		t.Fatal(err)
	}
	first, second := fromBase64(t, webpShapes)[12:], fromBase64(t, webpLossless)[12:]
	anim := chunk("ANIM", make([]byte, 6))
	corner := image.Pt(60, 40)
	for name, c := range map[string]struct {
		data []byte
		want color.RGBA
	}{
		"gif":            {moving.Bytes(), green},
		"webp":           {webpFile(64, 48, webpAnimated, anim, webpFrame(0, 0, 64, 48, first), webpFrame(0, 0, 24, 16, second)), green},
		"webp, a part":   {webpFile(100, 80, webpAnimated, anim, webpFrame(36, 32, 64, 48, first)), color.RGBA{}},
		"webp, lossy":    {webpFile(24, 16, webpAnimated, anim, webpFrame(0, 0, 24, 16, fromBase64(t, webpLossy)[12:])), color.RGBA{1, 1, 1, 1}},
		"webp, one only": {webpFile(64, 48, webpAnimated, webpFrame(0, 0, 64, 48, first)), green},
	} {
		s := open(t, Limits{})
		got, err := savePhoto(t.Context(), s, c.data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		img := s.load(t, got.Name)
		switch name {
		case "webp, lossy":
			if got.Width != 24 || got.Height != 16 {
				t.Errorf("%s: %v", name, got)
			}
		case "webp, a part":
			if _, _, _, a := img.At(5, 5).RGBA(); a != 0 || !near(img, 95, 75, green) || got.Width != 100 {
				t.Errorf("%s: %v and %v, %v", name, img.At(5, 5), img.At(95, 75), got)
			}
		default:
			if !near(img, corner.X, corner.Y, c.want) {
				t.Errorf("%s: %v", name, img.At(corner.X, corner.Y))
			}
		}
	}
	s := open(t, Limits{})
	_, err = savePhoto(t.Context(), s, webpFile(32, 32, webpAnimated, anim, webpFrame(0, 0, 64, 48, first)))
	wantCode(t, err, apperr.Invalid, "damaged") // the frame is larger than the picture
}

// What is too expensive is rejected by its header alone.
func TestExpensivePicturesAreRefusedAtTheDoor(t *testing.T) {
	four := []sampling{{1, 1}, {1, 1}, {1, 1}, {1, 1}}
	for name, data := range map[string][]byte{
		"400 scans":        manyScans(400),
		"four inks, twice": flatJPEG{w: 7300, h: 5400, sampling: four, scans: 1, adobe: true, empty: true}.bytes(),
		"huge":             flatJPEG{w: 60000, h: 60000, sampling: four, empty: true}.bytes(),
		"interlaced png":   interlaced(pngBomb(7000, 5700)),
	} {
		s := open(t, Limits{})
		start := time.Now()
		_, err := s.Receive(t.Context(), "photo", bytes.NewReader(data))
		if !apperr.Is(err, apperr.TooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}

// interlaced turns a PNG into one with 16 bits that is stored in seven passes.
func interlaced(data []byte) []byte {
	data[24], data[28] = 16, 1
	return withSum(data[:len(data)-4])
}

// What no header reveals is stopped, and the memory of all decoders together is bounded.
func TestMemoryIsBounded(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector takes several times the memory and the time")
	}
	s := open(t, Limits{})
	bombs := map[string][]byte{
		"webp":         huffmanBomb(200),
		"four inks":    flatJPEG{w: 7300, h: 5400, sampling: []sampling{{1, 1}, {1, 1}, {1, 1}, {1, 1}}, adobe: true, empty: true}.bytes(),
		"progressive":  flatJPEG{w: 6000, h: 5000, sampling: []sampling{{2, 2}, {1, 1}, {1, 1}}, scans: 3}.bytes(),
		"large and ok": flatJPEG{w: 7200, h: 5400, sampling: []sampling{{2, 2}, {1, 1}, {1, 1}}}.bytes(),
	}
	peak, stop := watchChildren(t)
	var all sync.WaitGroup
	for name, data := range bombs {
		for range 2 {
			all.Go(func() {
				_, err := savePhoto(t.Context(), s, data)
				if (err == nil) != (name == "progressive" || name == "large and ok") || err != nil && apperr.From(err).Code == apperr.Internal {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
	}
	all.Wait()
	stop()
	const most = 512<<20 + lightSlots*(lightCost+workingMemory) + 100<<20 // plus what a process takes before it starts counting
	t.Logf("all decoders together: %d MB", *peak>>20)
	if *peak > most || *peak == 0 {
		t.Errorf("the decoders took %d MB", *peak>>20)
	}
}

// A picture that needs more memory than its header suggests doesn't get it.
func TestMemoryEndsTheDecoder(t *testing.T) {
	s := open(t, Limits{})
	p, err := s.Receive(t.Context(), "photo", bytes.NewReader(flatJPEG{w: 6000, h: 5000, sampling: []sampling{{2, 2}, {1, 1}, {1, 1}}, scans: 3}.bytes()))
	if err != nil {
		t.Fatal(err)
	}
	p.cost = 10 << 20
	_, err = s.SavePhoto(t.Context(), p)
	wantCode(t, err, apperr.TooLarge, "too much time or memory")
}

// A request whose client has disconnected stops using resources.
func TestCancellationEndsTheDecoder(t *testing.T) {
	s := open(t, Limits{})
	data := manyScans(maxScans - 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := savePhoto(ctx, s, data)
		done <- err
	}()
	wait(t, func() bool { return len(children(t)) > 0 })
	cancel()
	start := time.Now()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	if took := time.Since(start); took > 2*time.Second || len(children(t)) > 0 {
		t.Errorf("it went on for %v, %d processes are left", took, len(children(t)))
	}
	if left := s.stored(t); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	// Its place is free again.
	if _, err := savePhoto(t.Context(), s, flatJPEG{w: 7200, h: 5400, sampling: []sampling{{1, 1}}, scans: 1}.bytes()); err != nil {
		t.Error(err)
	}
}

func TestDeadlineEndsTheDecoder(t *testing.T) {
	s := open(t, Limits{DecodeTime: 200 * time.Millisecond})
	start := time.Now()
	_, err := savePhoto(t.Context(), s, manyScans(maxScans-1))
	wantCode(t, err, apperr.TooLarge, "too much time or memory")
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestSmallPicturesPassLargeOnes(t *testing.T) {
	s := open(t, Limits{})
	large := make(chan error, 3)
	ctx, cancel := context.WithCancel(t.Context())
	for range cap(large) {
		go func() {
			_, err := savePhoto(ctx, s, manyScans(maxScans-1))
			large <- err
		}()
	}
	wait(t, func() bool { return len(children(t)) > 0 })
	if _, err := saveAvatar(s, jpegOf(t, shapes(400, 300))); err != nil {
		t.Error(err)
	}
	if len(large) > 0 {
		t.Error("a large picture was done before the small one")
	}
	cancel()
	for range cap(large) {
		<-large
	}
}

// Nobody can keep others out by filling the queue.
func TestPlacesAreShared(t *testing.T) {
	s := open(t, Limits{})
	file := manyScans(maxScans - 1)
	ctx, cancel := context.WithCancel(t.Context())
	flood := make(chan error, heavySlots*(1+waitingForSlot)+1)
	for range cap(flood) {
		go func() {
			p, err := s.Receive(ctx, "photo", bytes.NewReader(file), "mallory")
			if err == nil {
				_, err = s.SavePhoto(ctx, p)
			}
			flood <- err
		}()
	}
	err := <-flood // the one for which there was no room
	wantCode(t, err, apperr.Unavailable, "too many pictures")
	if apperr.From(err).RetryAfter == 0 {
		t.Error("when to try again is not said")
	}
	entered := make(chan error)
	go func() {
		leave, err := s.decoder.enter(t.Context(), &Picture{cost: lightCost + 1, of: []string{"alice"}})
		if err == nil {
			leave()
		}
		entered <- err
	}()
	wantCode(t, <-flood, apperr.Unavailable, "too many pictures") // one of the flood was pushed out
	cancel()
	for range cap(flood) - 2 {
		<-flood
	}
	if err := <-entered; err != nil {
		t.Error(err)
	}
}

// A decoder knows none of our keys, and sees nothing except its picture.
func TestDecoderKnowsNothing(t *testing.T) {
	t.Setenv("ACCESS_TOKEN_SECRET", "hunter2")
	cmd, err := decoderCommand(t.Context(), job{})
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(cmd.Args, cmd.Env, cmd.ExtraFiles); strings.Contains(text, "hunter2") || len(cmd.Env) != 2 {
		t.Errorf("it is given %s", text)
	}
}

func wait(t *testing.T, until func() bool) {
	t.Helper()
	for range 1000 {
		if until() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it does not happen")
}

// children are the child processes of this one, and how much memory each uses.
func children(t testing.TB) map[string]int64 {
	t.Helper()
	found := map[string]int64{}
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(lists) == 0 {
		t.Skip("this system does not list the processes that one started")
	}
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for pid := range strings.FieldsSeq(string(text)) {
			status, _ := os.ReadFile("/proc/" + pid + "/statm")
			if fields := strings.Fields(string(status)); len(fields) > 1 {
				pages, _ := strconv.ParseInt(fields[1], 10, 64)
				found[pid] = pages * int64(os.Getpagesize())
			}
		}
	}
	return found
}

// watchChildren records the maximum memory that all of them used at once.
func watchChildren(t *testing.T) (peak *int64, stop func()) {
	t.Helper()
	children(t)
	peak = new(int64)
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			case <-time.After(5 * time.Millisecond):
			}
			var sum int64
			for _, size := range children(t) {
				sum += size
			}
			*peak = max(*peak, sum)
		}
	}()
	return peak, func() {
		close(end)
		<-ended
	}
}
