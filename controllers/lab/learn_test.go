package lab_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
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
	slug, title, express string
	code                 []any
}

func lessons(t *testing.T, c *testsite.Client) []lesson {
	t.Helper()
	var all []lesson
	for _, entry := range c.JSON("GET", "/learn", nil).Status(http.StatusOK).Data()["lessons"].([]any) {
		m := entry.(testsite.M)
		all = append(all, lesson{m["slug"].(string), m["title"].(string), m["express"].(string), m["code"].([]any)})
	}
	if len(all) < 11 {
		t.Fatalf("there are %d lessons", len(all))
	}
	return all
}

// Every page has its text, its diagram with an alternative text, and its code as it is in the file.
func TestLessons(t *testing.T) {
	site := testsite.New(t)
	for who, c := range map[string]*testsite.Client{"guest": site.Client(), "user": site.User("alice")} {
		index := c.Get("/learn").Status(http.StatusOK)
		all := lessons(t, c)
		for i, l := range all {
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
			if !strings.Contains(shown, l.express) || l.express == "" {
				t.Errorf("%s %s: the code in Express is not there", who, l.slug)
			}
			page.Has(fmt.Sprintf("Lesson %d of %d", i+1, len(all)), `href="/learn" aria-current="true"`, `href="/learn/`+l.slug+`" data-visited="`+l.slug+`" aria-current="page"`)
			checkQuestions(t, l.slug, doc)
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

// checkQuestions: at the end of each lesson are three questions with answers.
func checkQuestions(t *testing.T, slug string, doc *html.Node) {
	n := 0
	for section := range doc.Descendants() {
		if value(section, "class") != "lesson-check" {
			continue
		}
		for question := range section.ChildNodes() {
			if question.Data != "details" {
				continue
			}
			n++
			if summary, all := inner(question.FirstChild), inner(question); !strings.HasSuffix(summary, "?") || len(all) < len(summary)+60 {
				t.Errorf("%s: question %q with the answer %q", slug, summary, all[len(summary):])
			}
		}
	}
	if n != 3 {
		t.Errorf("%s: %d questions", slug, n)
	}
}

// A lesson's decisive lines occur in the code exactly once each, and are few enough to take in.
func TestDecisiveLines(t *testing.T) {
	for _, l := range lessons(t, testsite.New(t).Client()) {
		n := 0
		for _, piece := range l.code {
			m := piece.(testsite.M)
			marks, _ := m["marks"].([]any)
			n += len(marks)
			for _, mark := range marks {
				found := 0
				for _, line := range strings.Split(m["text"].(string), "\n") {
					if strings.Contains(line, mark.(string)) {
						found++
					}
				}
				if found != 1 {
					t.Errorf("lesson %s: %d lines of %s contain %q: correct its marks in lessons.json", l.slug, found, m["name"], mark)
				}
			}
			if len(marks) == 0 {
				t.Errorf("lesson %s: no line of %s is decisive", l.slug, m["name"])
			}
		}
		if n < 5 || n > 10 {
			t.Errorf("lesson %s: %d decisive lines", l.slug, n)
		}
	}
}

// The Express code is valid JavaScript.
func TestExpressParses(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("there is no node")
		}
		t.Skip("there is no node")
	}
	for _, l := range lessons(t, testsite.New(t).Client()) {
		check := exec.Command(node, "--check", "-")
		check.Stdin = strings.NewReader("async function lesson() {\n" + l.express + "\n}\n")
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", l.slug, err, out)
		}
	}
}

// The list also works with a trailing slash, and /learn/from-express and the glossary can be read there.
func TestLearnsOtherPages(t *testing.T) {
	c := testsite.New(t).Client()
	if a, b := c.Get("/learn").Status(http.StatusOK).Body, c.Get("/learn/").Status(http.StatusOK).Body; a != strings.Replace(b, `href="/learn" aria-current="true"`, `href="/learn" aria-current="page"`, -1) {
		t.Errorf("/learn/ differs from /learn: %d and %d bytes", len(a), len(b))
	}
	c.Get("/learn/from-express").Status(http.StatusOK).Has("# Coming from the article's Express backend", "`generateAccessToken`")
	for word := range strings.SplitSeq("grace successor jti rti", " ") {
		c.Get("/learn").Has(`id="word-` + word + `"`)
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

// texts are the texts of all elements of a name.
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

// Following "next" from the first page visits all of them in order, and every link to a page of Learn works.
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

// Each "Try it" leads to an element of the lab's page.
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

// The site doesn't start if a page's code no longer exists.
func TestLessonsNeedTheirCode(t *testing.T) {
	empty, err := source.New(fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.NewLearn(empty); err == nil || !strings.Contains(err.Error(), "lesson jwt: the source has no token.Kind.Sign") {
		t.Errorf("error %v", err)
	}
}

// Each button of the lab links to a lesson, which links back.
func TestEveryExperimentHasItsLesson(t *testing.T) {
	c := testsite.New(t).Client()
	buttons := regexp.MustCompile(`(?s)<li id="([\w-]+)">.*?</li>`).FindAllStringSubmatch(c.Get("/token-lab").Status(http.StatusOK).Body, -1)
	if len(buttons) < 8 {
		t.Fatalf("%d buttons", len(buttons))
	}
	for _, button := range buttons {
		why := regexp.MustCompile(`href="(/learn/[\w-]+)"`).FindStringSubmatch(button[0])
		if why == nil {
			t.Errorf("%s leads to no lesson: add it to templates/partials/why.html", button[1])
			continue
		}
		c.Get(why[1]).Status(http.StatusOK).Has(`href="/token-lab#` + button[1] + `"`)
	}
}

// The pages that show what happened to a user's sessions link to the explanation.
func TestPagesLeadToLessons(t *testing.T) {
	alice := testsite.New(t).User("alice")
	alice.Get("/settings/sessions").Status(http.StatusOK).Has(`href="/learn/refresh"`, `href="/learn/logout"`)
	alice.Get("/settings/security").Status(http.StatusOK).Has(`href="/learn/theft"`)
	alice.Get("/learn/theft").Status(http.StatusOK).Has(`href="/settings/security"`, `<abbr title="The short time for which`)
}
