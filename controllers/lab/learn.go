package lab

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/utils/apperr"
	"tokentube/utils/respond"
	"tokentube/utils/source"
)

// Learn are the pages that explain tokens beside the code that handles them.
type Learn struct{ lessons []Lesson }

// Lesson is a page of Learn. Its words and its diagram are the template
// learn/<slug>.
type Lesson struct {
	Slug    string         `json:"slug"`
	Title   string         `json:"title"`
	Summary string         `json:"summary"`
	Code    []source.Piece `json:"code"`
	Try     []Try          `json:"try"`
	Before  *LessonLink    `json:"before"` // nil on the first page
	After   *LessonLink    `json:"after"`  // nil on the last page
}

// Try leads to a button of the Token lab that shows what the page tells.
type Try struct {
	Name  string `json:"name"` // the button's
	Label string `json:"label"`
}

// LessonLink leads from one page to the next.
type LessonLink struct {
	Slug  string `json:"slug"`
	Title string `json:"title"`
}

// Path is the address of the page.
func (l Lesson) Path() string { return "/learn/" + l.Slug }

// Path is the address of the page that it leads to.
func (l LessonLink) Path() string { return "/learn/" + l.Slug }

// lessons are the pages in the order in which to read them, with the names of the
// code that each shows.
var lessons = []struct {
	slug, title, summary string
	code                 []string
	try                  []Try
}{
	{"jwt", "What a JWT is", "Three parts, readable by everybody, and a signature that nobody can forge.",
		[]string{"token.Claims", "token.Kind.Sign", "token.Kind.verify", "token.Kind.keyFor"},
		[]Try{{"tamper-header", "Change a token's payload and send it as a header"}}},
	{"two-tokens", "Why two tokens", "One for minutes that is shown all the time, one for days that is hardly ever shown.",
		[]string{"models.User.GenerateAccessToken", "models.User.GenerateRefreshToken", "config.ParseDuration"},
		[]Try{{"expire", "Let an access token run out"}}},
	{"login", "From the login to a like", "How the tokens are made, and what happens to them on every request.",
		[]string{"controllers.SessionActions.authenticate", "controllers.App.beginSession", "middlewares.Auth.identify", "middlewares.Auth.fromAccess", "middlewares.RequireUser"},
		[]Try{{"tamper-header", "Knock with a token that was changed"}}},
	{"storage", "Where each token is kept", "Two cookies in the browser, and in the database only what it takes to know a token again.",
		[]string{"models.Session", "models.RefreshToken", "middlewares.Auth.Issue"},
		[]Try{{"expire", "Look at the cookies before and after a renewal"}}},
	{"cookies", "Cookies and their flags", "HttpOnly, Secure, SameSite: what each keeps out.",
		[]string{"middlewares.Cookies.put", "middlewares.maxAge", "middlewares.Cookies.Read"},
		[]Try{{"tamper-cookie", "Change the access token in its cookie"}}},
	{"refresh", "The refresh", "An access token has run out, and nobody notices.",
		[]string{"middlewares.Auth.identify", "middlewares.Auth.Renew", "controllers.SessionActions.Renew"},
		[]Try{{"expire", "Let an access token run out, and open a page"}}},
	{"rotation", "Rotation", "Each refresh token is used once, even when eight requests come at once.",
		[]string{"models.Sessions.Rotate", "models.Sessions.replaceCurrent", "models.Sessions.unchanged"},
		[]Try{{"eight-at-once", "Send eight requests at once"}, {"lost-response", "Lose the answer, and ask again"}}},
	{"theft", "When a token is stolen", "An old token that comes back gives the thief away.",
		[]string{"models.Session.accepts", "models.Sessions.CheckRefreshToken", "middlewares.Auth.fromRefresh"},
		[]Try{{"replay-after-grace", "Use an old refresh token after its grace"}, {"replay-in-grace", "Use it within its grace"}}},
	{"logout", "Logout and revocation", "A token cannot be called back, but the session that it names can be ended.",
		[]string{"controllers.SessionActions.Delete", "controllers.App.endSessions", "models.Sessions.End", "middlewares.Auth.RequireFresh"},
		[]Try{{"logout-replay", "Log out, and use the old tokens"}}},
	{"https", "HTTPS", "Who can read the line can copy the token.",
		[]string{"middlewares.SecurityHeaders", "httpserver.redirect", "controllers.App.checkCookies"}, nil},
	{"mistakes", "What goes wrong in practice", "The faults that are made again and again, and what stands against each here.",
		[]string{"token.newKind", "middlewares.CrossOrigin", "models.Posts.Own", "controllers.safeNext"},
		[]Try{{"tamper-header", "Try some of it"}}},
	{"compared", "The article's backend and this one", "The same names and the same contract, point by point, and what was mended.",
		[]string{"models.Posts.Own", "middlewares.refuse"}, nil},
}

// NewLearn finds the code that the pages show. It is an error if some is gone.
func NewLearn(code *source.Code) (Learn, error) {
	var l Learn
	for i, from := range lessons {
		shown, err := pieces(code, from.code)
		if err != nil {
			return Learn{}, err
		}
		lesson := Lesson{Slug: from.slug, Title: from.title, Summary: from.summary, Code: shown, Try: from.try}
		if i > 0 {
			lesson.Before = &LessonLink{lessons[i-1].slug, lessons[i-1].title}
		}
		if i < len(lessons)-1 {
			lesson.After = &LessonLink{lessons[i+1].slug, lessons[i+1].title}
		}
		l.lessons = append(l.lessons, lesson)
	}
	return l, nil
}

// Routes registers the feature.
func (l Learn) Routes(r middlewares.Access) {
	r.Public.Page(http.MethodGet, "/learn", l.Index)
	r.Public.Page(http.MethodGet, "/learn/:slug", l.Show)
}

type lessonList struct {
	Lessons []Lesson `json:"lessons"`
}

// Index is GET /learn: all pages.
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
