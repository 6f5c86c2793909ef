package controllers

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/respond"
	"tokentube/utils/source"
)

// Lab is the token lab: a page on which users let tokens run out, change, lose
// and replay them. Its requests go through the engine, the middlewares and the
// models of the site; only the session is one to throw away, of its own kind,
// with cookies of its own that open nothing else.
type Lab struct {
	*App
	inside   *App         // the same with the lab's sessions, cookies and tokens
	site     http.Handler // answers the lab's requests
	code     map[string][]source.Piece
	watchers watchers
}

const (
	labPath   = "/token-lab"
	labTarget = labPath + "/target"

	labAccessTTL = 10 * time.Second // short enough to wait for
	labGrace     = 5 * time.Second
	labMaxAge    = 10 * time.Minute
)

// NewLab makes the lab of a site. Code that its experiments show and that is
// gone is an error.
func NewLab(app *App, code *source.Code, site http.Handler) (*Lab, error) {
	auth, inside := *app.Auth, *app
	auth.Sessions = app.Sessions.OfKind(models.Lab, models.SessionPolicy{RefreshTTL: labMaxAge, Grace: labGrace, MaxAge: labMaxAge})
	auth.Tokens = app.Auth.Tokens.WithAccessTTL(labAccessTTL)
	auth.Cookies = middlewares.Cookies{Prefix: labPrefix(app.Config.CookiePrefix), Path: labPath, Secure: app.Config.CookieSecure}
	auth.Limits = nil // pressing a button counts among the user's changes
	inside.Auth, inside.Sessions = &auth, auth.Sessions
	l := &Lab{App: app, inside: &inside, site: site, code: map[string][]source.Piece{}}
	for _, e := range experiments {
		for _, name := range e.code {
			piece, err := code.Find(name)
			if err != nil {
				return nil, err
			}
			l.code[e.name] = append(l.code[e.name], piece)
		}
	}
	return l, nil
}

// labPrefix: "__Host-" is for cookies of the whole site (RFC 6265bis 4.1.3.2), and
// the lab's are for the lab alone.
func labPrefix(prefix string) string {
	if prefix != "" {
		prefix = "__Secure-"
	}
	return prefix + "Lab"
}

// Inside knows the lab's tokens and sessions.
func (l *Lab) Inside() *middlewares.Auth { return l.inside.Auth }

// Routes registers the page, and what the lab's requests are sent to: actions of
// the site behind the lab's own sessions. An experiment may take seconds, so that
// its answer must not bring the site's cookies.
func (l *Lab) Routes(site, inside middlewares.Access) {
	site.Private.Page(http.MethodGet, labPath, l.Show)
	site.Private.Page(http.MethodPost, labPath+"/session", l.Start)
	site.Private.NoRenew().Page(http.MethodPost, labPath+"/experiments/:name", l.Run)
	site.Private.Download().Page(http.MethodGet, labPath+"/events", l.Watch)

	inside.Private.Page(http.MethodGet, labTarget, asJSON(Users{l.inside}.Current))
	inside.Guest.NoRenew().Page(http.MethodPost, labTarget+"/renew", asJSON(Sessions{l.inside}.Renew))
	inside.Guest.NoRenew().Page(http.MethodPost, labTarget+"/logout", asJSON(Sessions{l.inside}.Delete))
}

// asJSON is for actions that have no page of their own.
func asJSON(action respond.Action) respond.Action {
	return func(c *gin.Context) error {
		c.Request.Header.Set("Accept", "application/json")
		return action(c)
	}
}

// LabPage is what the lab shows.
type LabPage struct {
	Session     *LabSession     `json:"session"` // nil before the first one, and when it is over
	Tokens      []LabToken      `json:"tokens"`
	Experiments []LabExperiment `json:"experiments"`
	Result      *LabResult      `json:"result"` // of the button that was pressed
}

// LabExperiment is a button.
type LabExperiment struct {
	Experiment
	Summary string `json:"summary"`
}

// Show is GET /token-lab.
func (l *Lab) Show(c *gin.Context) error {
	return l.show(c, l.held(c), l.cookies(c), nil)
}

func (l *Lab) show(c *gin.Context, s *models.Session, held cookiePair, result *LabResult) error {
	page := LabPage{Experiments: labExperiments(), Result: result}
	if s != nil && l.alive(s) {
		page.Session, page.Tokens = newLabSession(s), l.tokens(s, held)
	}
	return respond.Show(c, "lab/index", page)
}

// Start is POST /token-lab/session: a new session in place of the one before.
func (l *Lab) Start(c *gin.Context) error {
	if _, _, err := l.begin(c); err != nil {
		return err
	}
	return respond.Done(c, "A session to play with has begun.", labPath, nil)
}

// begin starts a lab session for the user, who has one at most.
func (l *Lab) begin(c *gin.Context) (*models.Session, cookiePair, error) {
	user := middlewares.Current(c).User
	all, err := l.Sessions.OfUser(c, user.ID)
	if err != nil {
		return nil, cookiePair{}, err
	}
	for _, s := range all {
		if s.Kind != models.Lab {
			continue
		}
		if _, err := l.Sessions.End(c, user.ID, s.ID, models.NewLogin); err != nil && !apperr.Is(err, apperr.NotFound) {
			return nil, cookiePair{}, err
		}
		l.watchers.tell(s.ID)
	}
	session, err := l.inside.Sessions.Create(c, user.ID, false, middlewares.DeviceOf(c))
	if err != nil {
		return nil, cookiePair{}, err
	}
	pair, err := l.inside.Auth.Issue(c, user, session)
	return session, cookiePair{pair.Access, pair.Refresh}, err
}

// cookiePair are the lab's two cookies as the browser holds them.
type cookiePair struct{ access, refresh string }

func (l *Lab) cookies(c *gin.Context) cookiePair {
	access, refresh := l.inside.Auth.Cookies.Read(c, l.Log)
	return cookiePair{access, refresh}
}

// held is the lab session that the browser's cookies belong to, if it is one of
// the user who is asking: with another's cookies one plays with nothing.
func (l *Lab) held(c *gin.Context) *models.Session {
	claims, err := l.inside.Auth.Tokens.Refresh.Verify(l.cookies(c).refresh)
	if err != nil {
		return nil
	}
	id, err := bson.ObjectIDFromHex(claims.SessionID)
	if err != nil {
		return nil
	}
	s, err := l.inside.Sessions.Look(c, middlewares.UserID(c), id)
	if err != nil {
		return nil
	}
	return s
}

func (l *Lab) alive(s *models.Session) bool {
	return s.RevokedAt == nil && l.Now().Before(s.ExpiresAt)
}

// Run is POST /token-lab/experiments/:name: presses a button. The answer is the
// page with what happened.
func (l *Lab) Run(c *gin.Context) error {
	for _, e := range experiments {
		if e.name == c.Param("name") {
			return l.run(c, e)
		}
	}
	return apperr.New(apperr.NotFound, "The lab has no such button.")
}

func (l *Lab) run(c *gin.Context, e experiment) error {
	run := &labRun{lab: l, c: c, session: l.held(c), held: l.cookies(c)}
	if run.session == nil || !l.alive(run.session) {
		fresh := "There was no session yet, so one was started"
		if run.session != nil {
			fresh = "The session before is over, so a new one was started"
		}
		var err error
		if run.session, run.held, err = l.begin(c); err != nil {
			return err
		}
		run.say(fresh)
	}
	if err := e.run(run); err != nil {
		return err
	}
	session, err := l.inside.Sessions.Look(c, run.session.User, run.session.ID)
	if err != nil {
		return err
	}
	result := run.result(e, session)
	c.Writer.Header().Del("Set-Cookie") // of a session that began within this answer: a name is set once (RFC 6265 4.1.1)
	if l.alive(session) && run.held.refresh != "" {
		l.inside.Auth.Cookies.Set(c, middlewares.Pair{Access: run.held.access, Refresh: run.held.refresh}, session, l.Now())
	} else {
		l.inside.Auth.Cookies.Clear(c)
	}
	return l.show(c, session, run.held, result)
}

func labExperiments() []LabExperiment {
	all := make([]LabExperiment, 0, len(experiments))
	for _, e := range experiments {
		all = append(all, LabExperiment{Experiment{e.name, e.label}, e.summary})
	}
	return all
}
