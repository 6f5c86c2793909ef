// Package lab holds the pages that teach: the Token lab, where users break tokens and watch how the site reacts, and
// Learn, which explains the code. Both use the site without changing anything about it.
//
// Does not belong here: anything that the site itself needs.
package lab

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/controllers"
	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/respond"
	"tokentube/utils/source"
)

// Lab is the Token lab: a page on which people let tokens expire, tamper with them, lose them and replay them. Its
// requests go through the engine, the middlewares and the models of the site; only the session is a throwaway one, of
// its own kind, whose cookies give access to nothing else.
type Lab struct {
	*controllers.App              // the site's, with the lab's sessions, cookies and tokens
	site             http.Handler // handles the lab's requests
	target           string       // the path that handles them
	experiments      []experiment
	watchers         watchers
	guests           *models.Guests // nil if the players are the site's users
	visitors         *Lab           // the lab of visitors who are not logged in; nil in that lab itself
	limits           *middlewares.Limits
}

const (
	path = "/token-lab"

	accessTTL = 10 * time.Second // short enough to wait for
	grace     = 5 * time.Second
	maxAge    = 10 * time.Minute
)

// New makes the lab of a site, whose handler serves the lab's requests. It fails if code that an experiment shows no
// longer exists.
func New(app *controllers.App, code *source.Code, site http.Handler) (*Lab, error) {
	all, err := readExperiments(code)
	if err != nil {
		return nil, err
	}
	l := newLab(app, app.Site, "/target", site, all)
	l.limits = app.Auth.Limits
	guests, err := models.OpenGuests(context.Background(), app.DB, maxAge)
	if err != nil { // such as a full disk
		app.Log.Warn("the Token lab is open to users only", "error", err)
		return l, nil
	}
	l.visitors = newLab(app, guests.Site, "/visitor", site, all)
	l.visitors.guests = guests
	return l, nil
}

// newLab is the lab of the people whose documents are in the given site.
func newLab(app *controllers.App, on *models.Site, target string, site http.Handler, all []experiment) *Lab {
	l := &Lab{App: playground(app, on), site: site, target: path + target, experiments: all}
	if on.DB.Shared() {
		l.watchers.shared, l.watchers.log = on.Broadcasts, app.Log
	}
	return l
}

// playground is the site with the lab's sessions, cookies and tokens, on the given data.
func playground(app *controllers.App, on *models.Site) *controllers.App {
	auth, inside, documents := *app.Auth, *app, *on
	auth.Sessions = on.Sessions.OfKind(models.Lab, models.SessionPolicy{RefreshTTL: maxAge, Grace: grace, MaxAge: maxAge})
	auth.Users, auth.Events, auth.Requests = on.Users, on.Events, on.Requests
	auth.Tokens = app.Auth.Tokens.ForLab(accessTTL)
	auth.Cookies = middlewares.Cookies{Prefix: cookiePrefix(app.Config.CookiePrefix), Path: path, Secure: app.Auth.Cookies.Secure}
	auth.Playing, auth.Shared = true, false // the process that sends its requests also handles them
	auth.Limits = nil                       // the buttons are limited instead
	documents.Sessions = auth.Sessions
	inside.Auth, inside.Site = &auth, &documents
	return &inside
}

// cookiePrefix replaces "__Host-", which is for cookies of the whole site (RFC 6265bis §4.1.3.2): the lab's cookies are
// only sent to the lab.
func cookiePrefix(prefix string) string {
	if prefix != "" {
		prefix = "__Secure-"
	}
	return prefix + "Lab"
}

// find loads the code that a page shows.
func find(code *source.Code, shown []Shown) (err error) {
	for i := range shown {
		if shown[i].Piece, err = code.Find(shown[i].Name); err != nil {
			return err
		}
	}
	return nil
}

// Routes registers the page, which is open to everybody, and the endpoints for the lab's requests. Running an
// experiment may take seconds, so its response must not set the site's cookies.
func (l *Lab) Routes(site middlewares.Access) {
	buttons := site.Public.Limit(l.limits.Labs)
	site.Public.Page(http.MethodGet, path, l.open((*Lab).Show))
	buttons.Page(http.MethodPost, path+"/session", l.open((*Lab).Start))
	buttons.NoRenew().Page(http.MethodPost, path+"/experiments/:name", l.open((*Lab).Run))
	site.Public.Stream().Page(http.MethodGet, path+"/events", l.open((*Lab).Watch))
	l.targets(site)
	if l.visitors != nil {
		l.visitors.targets(site)
	}
}

// targets registers actions of the site behind the lab's own sessions.
func (l *Lab) targets(site middlewares.Access) {
	inside := site.For(l.Auth)
	users, sessions := controllers.UserActions{App: l.App}, controllers.SessionActions{App: l.App}
	inside.Private.Page(http.MethodGet, l.target, asJSON(users.Current))
	inside.Private.NoRenew().At(path).Page(http.MethodPost, l.target+"/password", asJSON(l.ChangePassword))
	sent := inside.Guest.NoRenew().At(path)
	sent.Page(http.MethodPost, l.target+"/renew", asJSON(sessions.Renew))
	sent.Page(http.MethodPost, l.target+"/logout", asJSON(sessions.Delete))
}

// open runs an action in the right lab: users play with sessions of their own account, visitors with those of a
// throwaway identity.
func (l *Lab) open(action func(*Lab, *gin.Context) error) respond.Action {
	return func(c *gin.Context) error {
		if middlewares.Current(c).User != nil {
			return action(l, c)
		}
		if l.visitors == nil {
			return apperr.New(apperr.Unauthorized, "Log in to use the Token lab.")
		}
		return action(l.visitors, c)
	}
}

// asJSON is for actions that have no page of their own.
func asJSON(action respond.Action) respond.Action {
	return func(c *gin.Context) error {
		c.Request.Header.Set("Accept", "application/json")
		return action(c)
	}
}

// Page is what the lab shows.
type Page struct {
	Session     *Session `json:"session"` // nil before the first one, and once it is over
	Tokens      []Token  `json:"tokens"`
	Experiments []Button `json:"experiments"`
	Done        string   `json:"done"`   // the outcomes of earlier experiments, sent along with the next one
	Result      *Result  `json:"result"` // of the pressed button
}

// Button starts an experiment.
type Button struct {
	Name    string `json:"name"` // used in its path, and as its anchor on the page
	Label   string `json:"label"`
	Summary string `json:"summary"`
	State   string `json:"state"` // the outcome: empty, held or failed
}

// Show is GET /token-lab.
func (l *Lab) Show(c *gin.Context) error {
	s, pair := l.held(c)
	return l.show(c, s, pair, nil)
}

func (l *Lab) show(c *gin.Context, s *models.Session, held middlewares.Pair, result *Result) error {
	page, states := Page{Result: result}, map[string]string{}
	for _, done := range strings.Fields(c.PostForm("done")) {
		if name, state, _ := strings.Cut(done, "."); state == "held" || state == "failed" {
			states[name] = state
		}
	}
	if result != nil {
		states[result.Name] = map[bool]string{true: "held", false: "failed"}[result.Held()]
	}
	for _, e := range l.experiments {
		if e.State = states[e.Name]; e.State != "" {
			page.Done += e.Name + "." + e.State + " "
		}
		page.Experiments = append(page.Experiments, e.Button)
	}
	if l.alive(s) {
		page.Session, page.Tokens = l.newSession(s), (&ours{Lab: l, c: c, sessions: []*models.Session{s}}).tokens(held)
	}
	return respond.Show(c, "lab/index", page)
}

// held returns the lab's tokens from the browser's cookies and the session they belong to. The session is nil if there
// is none, or if it is another user's.
func (l *Lab) held(c *gin.Context) (*models.Session, middlewares.Pair) {
	var pair middlewares.Pair
	pair.Access, pair.Refresh = l.Auth.Cookies.Read(c, l.Log)
	claims, err := l.Auth.Tokens.Refresh.Verify(pair.Refresh)
	if err != nil {
		return nil, pair
	}
	id, err := store.ParseID(claims.SessionID)
	if err != nil {
		return nil, pair
	}
	user := middlewares.UserID(c)
	if l.guests != nil {
		user, _ = store.ParseID(claims.UserID) // only the token tells which visitor this is
	}
	s, err := l.Sessions.OfUserByID(c, user, id)
	if err != nil {
		return nil, pair
	}
	return s, pair
}

func (l *Lab) alive(s *models.Session) bool {
	return s != nil && s.EndedAt == nil && l.Now().Before(s.ExpiresAt)
}

// Start is POST /token-lab/session: starts a new session in place of the current one.
func (l *Lab) Start(c *gin.Context) error {
	if _, _, err := l.begin(c); err != nil {
		return err
	}
	return respond.Redirect(c, path)
}

// begin starts a lab session for the user, who has at most one, or for a new visitor.
func (l *Lab) begin(c *gin.Context) (*models.Session, middlewares.Pair, error) {
	user, err := l.player(c)
	if err != nil {
		return nil, middlewares.Pair{}, err
	}
	return l.beginAgain(c, user, models.NewLogin)
}

// beginAgain ends the user's lab sessions and starts a new one.
func (l *Lab) beginAgain(c *gin.Context, user *models.User, why models.EndReason) (*models.Session, middlewares.Pair, error) {
	all, err := l.Sessions.OfUser(c, user.ID)
	if err != nil {
		return nil, middlewares.Pair{}, err
	}
	for _, s := range all {
		if s.Kind != models.Lab {
			continue
		}
		if _, err := l.Sessions.End(c, user.ID, s.ID, why); err != nil && !apperr.Is(err, apperr.NotFound) {
			return nil, middlewares.Pair{}, err
		}
		l.watchers.tell(c, s.ID, news{})
	}
	session, _, err := l.Sessions.Create(c, user.ID, false, middlewares.DeviceOf(c))
	if err != nil {
		return nil, middlewares.Pair{}, err
	}
	pair, err := l.Auth.Issue(c, user, session)
	return session, pair, err
}

// ChangePassword is POST /token-lab/target/password: does to the lab's sessions what a password change does to the
// site's (controllers.Settings.setPassword), without changing the password.
func (l *Lab) ChangePassword(c *gin.Context) error {
	if _, _, err := l.beginAgain(c, middlewares.Current(c).User, models.PasswordChanged); err != nil {
		return err
	}
	return respond.Done(c, "Password changed. All other devices were signed out.", path, nil)
}

// player is the owner of a new session: the user, or a new throwaway identity that replaces the visitor's previous one.
func (l *Lab) player(c *gin.Context) (*models.User, error) {
	if l.guests == nil {
		return middlewares.Current(c).User, nil
	}
	if before, _ := l.held(c); before != nil {
		if err := l.guests.Remove(c, before.User); err != nil {
			return nil, err
		}
		l.watchers.tell(c, before.ID, news{})
	}
	return l.guests.Add(c)
}

// Run is POST /token-lab/experiments/:name: runs an experiment. The response is the page with what happened, on this
// site and in the model of the usual way.
func (l *Lab) Run(c *gin.Context) error {
	i := slices.IndexFunc(l.experiments, func(e experiment) bool { return e.Name == c.Param("name") })
	if i < 0 {
		return apperr.New(apperr.NotFound, "The lab has no such button.")
	}
	e, opening := l.experiments[i], ""
	session, held := l.held(c)
	if !l.alive(session) {
		opening = map[bool]string{true: "There was no session yet, so one was started", false: "The session before is over, so a new one was started"}[session == nil]
		var err error
		if session, held, err = l.begin(c); err != nil {
			return err
		}
	}
	here := &ours{Lab: l, c: c, sessions: []*models.Session{session}}
	ours := e.play(c, here, held, opening)
	model, login := newUsual(l.Now)
	usual := e.play(c, model, login, "The user has logged in. The model's clock was set one second ahead, since tokens of one second are the same here")
	if err := cmp.Or(ours.err, usual.err); err != nil {
		return err
	}
	result := &Result{Name: e.Name, Label: e.Label, Ours: ours.column("ours"), Usual: usual.column("usual")}
	result.Ours.Code, result.Usual.Code, result.Ours.Session = e.Code, e.Usual, l.newSession(here.session())
	l.Auth.Cookies.Unset(c) // those of a session that began during this request: each cookie may be set only once (RFC 6265 §4.1.1)
	if l.alive(here.session()) && ours.browser.Refresh != "" {
		l.Auth.Cookies.Set(c, ours.browser, here.session(), l.Now())
	} else {
		l.Auth.Clear(c)
	}
	return l.show(c, here.session(), ours.browser, result)
}
