package lab_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/net/html"

	"tokentube/controllers/lab"
	"tokentube/e2e/testsite"
	"tokentube/utils/source"
)

type lesson struct {
	slug, title string
	code        []any
}

func lessons(t *testing.T, c *testsite.Client) []lesson {
	t.Helper()
	var all []lesson
	for _, entry := range c.JSON("GET", "/learn", nil).Status(http.StatusOK).Data()["lessons"].([]any) {
		m := entry.(testsite.M)
		all = append(all, lesson{m["slug"].(string), m["title"].(string), m["code"].([]any)})
	}
	if len(all) < 11 {
		t.Fatalf("there are %d lessons", len(all))
	}
	return all
}

// Every page has its words, its diagram with a text in its place, and its code as
// it stands in the file.
func TestLessons(t *testing.T) {
	site := testsite.New(t)
	for who, c := range map[string]*testsite.Client{"guest": site.Client(), "user": site.User("alice")} {
		index := c.Get("/learn").Status(http.StatusOK)
		for _, l := range lessons(t, c) {
			index.Has(`href="/learn/`+l.slug+`"`, html.EscapeString(l.title))
			page := c.Get("/learn/" + l.slug).Status(http.StatusOK)
			doc, err := html.Parse(strings.NewReader(page.Body))
			if err != nil {
				t.Fatal(err)
			}
			checkDiagram(t, who+" "+l.slug, doc)
			shown := texts(doc, "code")
			for _, piece := range l.code {
				m := piece.(testsite.M)
				page.Has("<strong>"+m["name"].(string)+"</strong>", m["file"].(string)+":")
				if !strings.Contains(shown, m["text"].(string)) {
					t.Errorf("%s %s: the code of %s is not there", who, l.slug, m["name"])
				}
			}
			if words := len(strings.Fields(texts(doc, "article"))); words < 150 {
				t.Errorf("%s: %d words", l.slug, words)
			}
		}
		c.Get("/learn/no-such-page").Status(http.StatusNotFound)
		c.JSON("GET", "/learn/no-such-page", nil).Status(http.StatusNotFound)
	}
	if cache := site.Client().Get("/learn/jwt").Header.Get("Cache-Control"); cache != "private, no-cache" {
		t.Errorf("for guests: Cache-Control %s", cache)
	}
}

func checkDiagram(t *testing.T, name string, doc *html.Node) {
	for n := range doc.Descendants() {
		if n.Data != "svg" || value(n, "role") != "img" {
			continue
		}
		for _, attribute := range []string{"aria-labelledby", "aria-describedby"} {
			if text := textOf(doc, value(n, attribute)); len(text) < 10 {
				t.Errorf("%s: the diagram's %s leads to %q", name, attribute, text)
			}
		}
		return
	}
	t.Errorf("%s: no diagram", name)
}

func textOf(doc *html.Node, id string) string {
	for n := range doc.Descendants() {
		if id != "" && value(n, "id") == id {
			return inner(n)
		}
	}
	return ""
}

// texts is what stands in all elements of a name.
func texts(doc *html.Node, name string) string {
	var all strings.Builder
	for n := range doc.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			all.WriteString(inner(n) + "\n")
		}
	}
	return all.String()
}

func inner(n *html.Node) string {
	var text strings.Builder
	for part := range n.Descendants() {
		if part.Type == html.TextNode {
			text.WriteString(part.Data)
		}
	}
	return text.String()
}

func value(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// Whoever follows "next" from the first page reads all of them in order, and
// every link to a page of Learn leads to one.
func TestLinksBetweenLessons(t *testing.T) {
	c := testsite.New(t).Client()
	all := lessons(t, c)
	next := regexp.MustCompile(`href="([^"]+)" rel="next"`)
	previous := regexp.MustCompile(`href="([^"]+)" rel="prev"`)
	for i, l := range all {
		page := c.Get("/learn/" + l.slug).Body
		for pattern, other := range map[*regexp.Regexp]int{next: i + 1, previous: i - 1} {
			found := pattern.FindStringSubmatch(page)
			if (found != nil) != (other >= 0 && other < len(all)) || found != nil && found[1] != "/learn/"+all[other].slug {
				t.Errorf("%s: %s finds %v", l.slug, pattern, found)
			}
		}
		for _, link := range regexp.MustCompile(`href="(/learn[^"#]*)`).FindAllStringSubmatch(page, -1) {
			c.Get(link[1]).Status(http.StatusOK)
		}
	}
}

// Each "Try it" leads to a place on the lab's page.
func TestExperimentsAreInTheLab(t *testing.T) {
	alice := testsite.New(t).User("alice")
	buttons := alice.Get("/token-lab")
	found := 0
	for _, l := range lessons(t, alice) {
		page := alice.Get("/learn/" + l.slug).Body
		for _, link := range regexp.MustCompile(`href="/token-lab#([^"]*)"`).FindAllStringSubmatch(page, -1) {
			buttons.Status(http.StatusOK).Has(`id="` + link[1] + `"`)
			found++
		}
	}
	if found < 10 {
		t.Errorf("%d links", found)
	}
}

// The site does not start with a page whose code is gone.
func TestLessonsNeedTheirCode(t *testing.T) {
	empty, err := source.New(fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.NewLearn(empty); err == nil || !strings.Contains(err.Error(), "token.Claims") {
		t.Errorf("error %v", err)
	}
}
