package compress

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func TestAccepted(t *testing.T) {
	for header, want := range map[string]Coding{
		"":                                  Identity,
		"gzip":                              Gzip,
		"zstd":                              Zstd,
		"gzip, deflate, br, zstd":           Zstd,
		"GZIP":                              Gzip,
		"x-gzip":                            Gzip,
		"gzip;q=1.0, zstd;q=0.5":            Gzip,
		"gzip;q=0.5, zstd;q=0.5":            Zstd,
		"gzip ; q=0.2 , zstd ; Q=0.100":     Gzip,
		"br":                                Identity,
		"*":                                 Zstd,
		"*;q=0":                             Identity,
		"*, zstd;q=0":                       Gzip,
		"gzip;q=0, *;q=0.1":                 Zstd,
		"gzip;q=0, zstd;q=0.000":            Identity,
		"identity":                          Identity,
		"identity, gzip;q=0.5":              Identity,
		"identity;q=0.5, gzip;q=0.5":        Gzip,
		"identity;q=0":                      Identity, // no other coding was named; better than a refusal
		"identity;q=0, *":                   Zstd,
		"gzip;q=2":                          Identity,
		"gzip;q=-1":                         Identity,
		"gzip;q=":                           Identity,
		"gzip;q=0.0001":                     Identity,
		"gzip;q=1e0":                        Identity,
		"gzip;q=NaN":                        Identity,
		"gzip;level=9":                      Identity,
		"gzip;q=0.001":                      Gzip,
		",, gzip,":                          Gzip,
		"gzipped, zstandard":                Identity,
		strings.Repeat("br,", 300) + "gzip": Gzip,
	} {
		if got := Accepted([]string{header}); got != want {
			t.Errorf("%.60q: %q, want %q", header, got, want)
		}
	}
	if got := Accepted(nil); got != Identity {
		t.Errorf("without a header: %q", got)
	}
	if got := Accepted([]string{"gzip", "zstd"}); got != Zstd {
		t.Errorf("two headers: %q", got)
	}
}

func decoded(t testing.TB, coding Coding, body []byte) []byte {
	t.Helper()
	var r io.Reader
	var err error
	switch coding {
	case Gzip:
		r, err = gzip.NewReader(bytes.NewReader(body))
	case Zstd:
		var z *zstd.Decoder
		if z, err = zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderMaxWindow(8<<20)); err == nil { // RFC 9659
			defer z.Close()
		}
		r = z
	default:
		return body
	}
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// page is about as long and as repetitive as a page of the feed.
func page() []byte {
	var b bytes.Buffer
	for i := range 60 {
		fmt.Fprintf(&b, `<li class="card kind-text"><article><h2 class="note" dir="auto"><a class="card-link" href="/posts/%x">Post number %d about %d</a></h2>`+
			`<p class="card-facts"><span>%d views</span> <time datetime="2026-01-02T01:04:05Z">%d hours ago</time></p></article></li>`+"\n", rand.Uint64(), i, rand.IntN(1e6), rand.IntN(1000), i)
	}
	return b.Bytes()
}

func TestEncode(t *testing.T) {
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(rand.Uint32())
	}
	for name, encoder := range map[string]*Encoder{"fast": Fast(), "best": Best()} {
		for _, to := range []Coding{Zstd, Gzip} {
			for _, body := range [][]byte{page(), bytes.Repeat([]byte("a"), smallest), bytes.Repeat([]byte("0123456789abcdef"), 1<<18)} {
				for range 2 { // the second time with a reused encoder
					small, coding := encoder.Encode(to, body)
					if coding != to || len(small) >= len(body)/2 || !bytes.Equal(decoded(t, coding, small), body) {
						t.Errorf("%s %s: %d bytes became %d in %q", name, to, len(body), len(small), coding)
					}
				}
			}
			for _, body := range [][]byte{nil, []byte("tiny"), bytes.Repeat([]byte("a"), smallest-1), noise} {
				if got, coding := encoder.Encode(to, body); coding != Identity || !bytes.Equal(got, body) {
					t.Errorf("%s %s: %d bytes were encoded as %q", name, to, len(body), coding)
				}
			}
		}
		if got, coding := encoder.Encode(Identity, page()); coding != Identity || len(got) == 0 {
			t.Errorf("%s: %q without being asked", name, coding)
		}
	}
}

// TestManyAtOnce checks what the package promises: memory for as many encoders as there are processors, however many
// requests arrive at once.
func TestManyAtOnce(t *testing.T) {
	encoder, body := Fast(), page()
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	var all sync.WaitGroup
	for i := range 500 {
		all.Go(func() {
			to := []Coding{Zstd, Gzip}[i%2]
			if small, coding := encoder.Encode(to, body); coding != to || !bytes.Equal(decoded(t, coding, small), body) {
				t.Errorf("%s: %d bytes in %q", to, len(small), coding)
			}
		})
	}
	all.Wait()
	each := int64(heap()-before) / int64(runtime.GOMAXPROCS(0))
	if each > 4<<20 {
		t.Errorf("%d kB are kept for each processor", each>>10)
	}
	runtime.KeepAlive(encoder)
}

func BenchmarkPage(b *testing.B) {
	body := page()
	for name, encoder := range map[string]*Encoder{"fast": Fast(), "best": Best()} {
		for _, to := range []Coding{Zstd, Gzip} {
			b.Run(name+"/"+string(to), func(b *testing.B) {
				b.ReportAllocs()
				var small []byte
				for b.Loop() {
					small, _ = encoder.Encode(to, body)
				}
				b.ReportMetric(float64(len(small))/float64(len(body))*100, "%-of-size")
			})
		}
	}
}
