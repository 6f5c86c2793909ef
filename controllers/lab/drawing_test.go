package lab_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"tokentube/controllers/lab"
	"tokentube/e2e/testsite"
)

// Every run is drawn from what happened, and described in words for screen readers.
func TestEveryRunIsDrawn(t *testing.T) {
	site := testsite.New(t)
	visitor := site.Client()
	for name, words := range map[string][]string{
		"expire":             {"the browser sends A", "seconds pass", "is replaced by", "200 OK, with A"},
		"password-change":    {"The session ends.", "somebody with a copy sends A", "somebody with a copy sends R", "′"},
		"tamper-header":      {"sends changed", "401 Unauthorized"},
		"tamper-cookie":      {"sends changed and R", "is replaced by", "200 OK"},
		"eight-at-once":      {"sends R", "8 times at once", "once", "8 responses are 200 OK, with R"},
		"lost-response":      {"gets lost on its way", "is replaced by"},
		"replay-in-grace":    {"The session notes that R", "has arrived"},
		"replay-after-grace": {"somebody with a copy sends R", "The session ends.", "401 Unauthorized"},
		"logout-replay":      {"The session ends.", "somebody with a copy sends A", "somebody with a copy sends R"},
	} {
		result := press(t, visitor, name)
		all := strings.Join(result.Ours.Drawing.Words, " ")
		for _, want := range words {
			if !strings.Contains(all, want) {
				t.Errorf("%s: %q is not said in %s", name, want, all)
			}
		}
		staysInside(t, name, result.Ours.Drawing)
		staysInside(t, name+", the usual way", result.Usual.Drawing)
	}
}

func staysInside(t *testing.T, name string, drawing lab.Drawing) {
	t.Helper()
	for _, a := range drawing.Arrows {
		for _, y := range []int{a.Y1, a.Y2} {
			if y < 26 || y > drawing.Height || min(a.X1, a.X2) < 0 || max(a.X1, a.X2) > drawing.Width {
				t.Errorf("%s: an arrow leaves the drawing: %+v", name, a)
			}
		}
	}
	for _, l := range append(slices.Clone(drawing.Pills), drawing.Labels...) {
		if strings.Contains(l.Text, "?") || l.X < 0 || l.X+l.Width > drawing.Width || l.Y > drawing.Height {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

// Eight concurrent requests are eight arrows, all of which lead to the one successor.
func TestEightArrowsMeet(t *testing.T) {
	drawing := press(t, testsite.New(t).Client(), "eight-at-once").Ours.Drawing
	starts, ends := map[int]bool{}, map[string]bool{}
	for _, a := range drawing.Arrows {
		if a.Class == "write" {
			starts[a.Y1], ends[fmt.Sprint(a.X2, a.Y2)] = true, true
		}
	}
	if len(starts) != 8 || len(ends) != 1 {
		t.Errorf("%d arrows to %d places: %+v", len(starts), len(ends), drawing.Arrows)
	}
}

// The page contains both drawings without scripts, each with its own title, description and arrowheads, and without
// inline styles.
func TestTheDrawingsOnThePage(t *testing.T) {
	answer := testsite.New(t).Client().PostForm(page+"/experiments/eight-at-once", nil).Status(http.StatusOK)
	texts, drawings := map[string]string{}, 0
	for found := range answer.Page().Descendants() {
		if class, _ := testsite.Attribute(found, "class"); class != "lab-drawing" {
			continue
		}
		drawings++
		for n := range found.Descendants() {
			if n.Type == html.ElementNode && (n.Data == "title" || n.Data == "desc") {
				id, _ := testsite.Attribute(n, "id")
				texts[id] = n.FirstChild.Data
			}
			if _, styled := testsite.Attribute(n, "style"); styled {
				t.Errorf("<%s> has a style", n.Data)
			}
		}
	}
	if drawings != 2 || len(texts) != 4 || texts["drawing-title-ours"] == "" || !strings.Contains(texts["drawing-words-ours"], "8 times at once") || !strings.Contains(texts["drawing-words-usual"], "401 Unauthorized") {
		t.Errorf("%d drawings with the texts %v", drawings, texts)
	}
}
