package e2e_test

import (
	"testing"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"tokentube/models/sample"
)

// observe records what Chromium's performance APIs report about a page, from its beginning.
const observe = `window.seen = { shift: 0, moved: [], long: 0 };
new PerformanceObserver((list) => {
  for (const e of list.getEntries()) {
    if (e.sources.every((s) => s.node?.classList?.contains("bottom"))) continue; // an endless list grows as one scrolls
    seen.shift += e.value;
    for (const s of e.sources) seen.moved.push(s.node ? (s.node.id || s.node.className || s.node.nodeName) : "something gone");
  }
}).observe({ type: "layout-shift", buffered: true });
new PerformanceObserver((list) => {
  for (const e of list.getEntries()) seen.long = Math.max(seen.long, e.duration);
}).observe({ type: "longtask", buffered: true });`

// figures adds up what was transferred for the page besides pictures and videos: including headers, and compressed.
const figures = `(() => {
  const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
  const kind = (e) => /\/media\//.test(e.name) || ["img", "video"].includes(e.initiatorType) ? "pictures"
    : e.entryType === "navigation" ? "html" : /\.css/.test(e.name) ? "css" : /\.js/.test(e.name) ? "js" : "other";
  const sums = { html: 0, css: 0, js: 0, other: 0, pictures: 0 };
  for (const e of all) sums[kind(e)] += e.transferSize;
  const photo = document.querySelector(".photo img")?.currentSrc ?? "";
  return { ...sums, photo, besides: sums.html + sums.css + sums.js + sums.other, shift: seen.shift, moved: seen.moved.join(", "), long: seen.long };
})()`

// firstView are the figures of one page.
type firstView struct {
	HTML     int     `json:"html"`
	CSS      int     `json:"css"`
	JS       int     `json:"js"`
	Other    int     `json:"other"`
	Pictures int     `json:"pictures"`
	Besides  int     `json:"besides"`
	Shift    float64 `json:"shift"`
	Moved    string  `json:"moved"`
	Photo    string  `json:"photo"` // the URL of the one that the page shows
	Long     float64 `json:"long"`  // the longest task of the main thread, in milliseconds; 0: none took 50
}

const (
	firstViewBytes = 100_000
	scrollThrough  = `(async () => {
  for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) {
    scrollTo({ top: y, behavior: "instant" });
    await new Promise((done) => setTimeout(done, 100));
  }
  return true;
})()`
)

// TestFirstView measures what a visitor's first view of the main pages costs on a site with sample content. It fails on
// what is the same each time: bytes, and layout shifts. Times are only reported.
func TestFirstView(t *testing.T) {
	s := open(t)
	_, err := sample.Filler{Site: s.Data.Site, Files: s.Media, Hasher: s.Hasher}.Fill(t.Context())
	check(t, err)
	browser := s.Browser()
	browser.Go("/")
	pages := []struct{ name, path string }{
		{"home", "/"}, {"watch", browser.first("/watch/")}, {"photo", browser.first("/photos/")}, {"channel", browser.first("/@")},
		{"lab", "/token-lab"}, {"lesson", "/learn/rotation"},
	}
	for _, width := range []int64{1280, 360} {
		for _, page := range pages {
			got := browser.firstView(page.path, width, 1)
			t.Logf("%-8s %4d px: html %5d, css %5d, js %5d, other %4d: %6d bytes; pictures %7d; shift %.4f; longest task %.0f ms",
				page.name, width, got.HTML, got.CSS, got.JS, got.Other, got.Besides, got.Pictures, got.Shift, got.Long)
			if got.HTML == 0 || got.CSS == 0 || got.JS == 0 || got.Besides > firstViewBytes {
				t.Errorf("%s: %d bytes besides pictures", page.name, got.Besides)
			}
			if got.Shift > 0 {
				t.Errorf("%s, %d px: %.4f moved: %s", page.name, width, got.Shift, got.Moved)
			}
		}
	}
}

// firstView opens a page in a fresh window, with the given ratio of screen pixels to page pixels, and scrolls through
// it.
func (p *tab) firstView(path string, width int64, density float64) firstView {
	p.t.Helper()
	fresh := p.Stranger()
	fresh.look(width, "light")
	fresh.do("screen", chromedp.EmulateViewport(width, 900, chromedp.EmulateScale(density)))
	_, err := chromedp.Call(fresh.ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: observe})
	check(p.t, err)
	fresh.Go(path)
	fresh.until("the page", `document.readyState === "complete"`)
	pictures := evaluate[firstView](fresh, figures).Pictures // before more of them are loaded
	evaluate[bool](fresh, scrollThrough)
	fresh.until("the pictures", `[...document.images].every((i) => i.complete)`)
	got := evaluate[firstView](fresh, figures) // with the scripts that load later
	got.Pictures = pictures
	return got
}
