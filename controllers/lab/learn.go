package lab

import (
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"tokentube/docs"
	"tokentube/middlewares"
	"tokentube/utils/apperr"
	"tokentube/utils/respond"
	"tokentube/utils/source"
)

// Learn are the pages that explain tokens next to the code that handles them.
type Learn struct{ lessons []Lesson }

// Lesson is a page of Learn. Its text, drawing and questions are in the template learn/<slug>, the code to show is
// named in lessons.json, and express/<slug>.js shows the same idea in Node.
type Lesson struct {
	Slug    string        `json:"slug"`
	Title   string        `json:"title"`
	Summary string        `json:"summary"`
	Code    []Shown       `json:"code"`
	Express string        `json:"express"`
	Try     []Try         `json:"try"`
	Number  int           `json:"number"` // from 1
	All     []*LessonLink `json:"-"`
	Before  *LessonLink   `json:"before"` // nil on the first page
	After   *LessonLink   `json:"after"`  // nil on the last page
}

// Shown is code on a page, with parts of its decisive lines.
type Shown struct {
	source.Piece
	Marks []string `json:"marks"`
}

// Lines are all lines, with the decisive ones marked.
func (s Shown) Lines() []source.Line { return s.Piece.Lines(s.Marks...) }

// IsFunction reports whether it is a function rather than a type declaration.
func (s Shown) IsFunction() bool { return strings.Contains("\n"+s.Text, "\nfunc ") }

// Decisive are only the decisive lines.
func (s Shown) Decisive() []source.Line { return s.Excerpt(s.Marks...) }

// Try links to a button of the Token lab that demonstrates the lesson, or to another page of the lab.
type Try struct {
	Name    string `json:"name"` // the button's
	Address string `json:"path"`
	Label   string `json:"label"`
}

// Path is where it links to.
func (t Try) Path() string { return cmp.Or(t.Address, path+"#"+t.Name) }

// LessonLink links from one page to another.
type LessonLink struct {
	Slug  string `json:"slug"`
	Title string `json:"title"`
}

// Path is the path of the page.
func (l Lesson) Path() string { return "/learn/" + l.Slug }

// Path is the path of the linked page.
func (l LessonLink) Path() string { return "/learn/" + l.Slug }

//go:embed lessons.json express/*.js
var lessonFiles embed.FS

// NewLearn reads the lessons and finds the code that they show. It fails if some of it no longer exists.
func NewLearn(code *source.Code) (Learn, error) {
	var l Learn
	table, err := lessonFiles.ReadFile("lessons.json")
	if err != nil {
		return l, err
	}
	if err := json.Unmarshal(table, &l.lessons); err != nil {
		return l, err
	}
	var all []*LessonLink
	for i := range l.lessons {
		lesson := &l.lessons[i]
		if err := lesson.find(code); err != nil {
			return Learn{}, fmt.Errorf("lesson %s: %w", lesson.Slug, err)
		}
		lesson.Number = i + 1
		all = append(all, &LessonLink{lesson.Slug, lesson.Title})
	}
	for i := range l.lessons {
		lesson := &l.lessons[i]
		lesson.All = all
		if i > 0 {
			lesson.Before = all[i-1]
		}
		if i < len(all)-1 {
			lesson.After = all[i+1]
		}
	}
	return l, nil
}

// find loads the code of the page.
func (l *Lesson) find(code *source.Code) (err error) {
	if err := find(code, l.Code); err != nil {
		return err
	}
	express, err := lessonFiles.ReadFile("express/" + l.Slug + ".js")
	l.Express = strings.TrimSpace(string(express))
	return err
}

// Paths are the paths of the pages.
func (l Learn) Paths() []string {
	paths := []string{"/learn"}
	for _, lesson := range l.lessons {
		paths = append(paths, lesson.Path())
	}
	return paths
}

// Routes registers the feature.
func (l Learn) Routes(r middlewares.Access) {
	r.Public.Page(http.MethodGet, "/learn", l.Index)
	r.Public.Page(http.MethodGet, "/learn/", l.Index)
	r.Public.Page(http.MethodGet, "/learn/from-express", l.FromExpress)
	r.Public.Page(http.MethodGet, "/learn/:slug", l.Show)
}

type lessonList struct {
	Lessons []Lesson `json:"lessons"`
}

// Index is GET /learn: the list of all pages.
func (l Learn) Index(c *gin.Context) error {
	return respond.Show(c, "learn/index", lessonList{l.lessons})
}

// Show is GET /learn/:slug: one page.
func (l Learn) Show(c *gin.Context) error {
	for _, lesson := range l.lessons {
		if lesson.Slug == c.Param("slug") {
			return respond.Show(c, "learn/"+lesson.Slug, lesson)
		}
	}
	return apperr.New(apperr.NotFound, "There is no such page.")
}

// FromExpress is GET /learn/from-express: docs/from-express.md, unchanged.
func (Learn) FromExpress(c *gin.Context) error {
	c.String(http.StatusOK, "%s", docs.FromExpress)
	return nil
}
