package controllers

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
	"tokentube/utils/token"
)

// SessionActions begin, renew and end a login.
type SessionActions struct{ *App }

// Routes registers the feature. None of these routes renews tokens automatically: each sets or clears the cookies
// itself.
func (s SessionActions) Routes(r middlewares.Access) {
	guest := r.Guest.NoRenew()
	guest.Page(http.MethodGet, "/login", s.New)
	guest.Both(http.MethodPost, "/login", s.Create)
	guest.Page(http.MethodGet, "/login/code", s.NewSecond)
	guest.Both(http.MethodPost, "/login/code", s.CreateSecond)
	guest.Both(http.MethodPost, "/logout", s.Delete)
	guest.Limit(s.Auth.Limits.Renewals).API(http.MethodPost, "/renew", s.Renew)
}

type login struct {
	Identifier string `form:"identifier" json:"identifier"`
	Username   string `form:"username" json:"username,omitempty"` // instead of identifier
	Email      string `form:"email" json:"email,omitempty"`       // instead of identifier
	Password   string `form:"password" json:"password,omitempty"`
	Remember   bool   `form:"remember" json:"remember"`
	Next       string `form:"next" json:"next"`
	door
}

// door holds the fields that the login and registration forms have in common.
type door struct {
	Probe  bool   `form:"probe" json:"-"`            // the form was served with a cookie, which must come back
	Notice string `form:"-" json:"notice,omitempty"` // why a login would not last

	Passkeys bool `form:"-" json:"-"` // the site supports passkeys
}

// openDoor is door for a new form.
func (a *App) openDoor(c *gin.Context) door {
	a.Auth.Cookies.Probe(c)
	name := middlewares.Current(c).Twice
	if access, refresh := a.Auth.Cookies.Names(); name == "" && (c.Query(middlewares.TwiceQuery) == access || c.Query(middlewares.TwiceQuery) == refresh) {
		name = c.Query(middlewares.TwiceQuery)
	}
	d := door{Probe: true, Passkeys: a.Passkeys != nil}
	if name != "" {
		d.Notice = middlewares.TwiceMessage(name)
	}
	return d
}

// Why explains why the visitor was sent to the login, as far as the page they wanted tells.
func (in login) Why() string {
	for _, page := range []struct{ path, purpose string }{
		{"/create", "create a post"}, {"/settings", "see your settings"}, {"/playlists", "see your playlists"},
		{"/history", "see your history"}, {"/liked", "see what you liked"}, {"/subscriptions", "see your subscriptions"},
		{"/watch/", "like, comment and subscribe"}, {"/photos/", "like, comment and subscribe"}, {"/posts/", "like, comment and subscribe"},
		{"/comments/", "comment"}, {"/@", "subscribe"},
	} {
		if strings.HasPrefix(in.Next, page.path) {
			return "Log in to " + page.purpose + "."
		}
	}
	if in.Next != "" && in.Next != "/" {
		return "Log in to continue."
	}
	return ""
}

// name is the username or email address, from whichever field it was sent in.
func (in login) name() (string, error) {
	name := strings.TrimSpace(cmp.Or(in.Identifier, in.Username, in.Email))
	faults := apperr.New(apperr.Invalid, "Please fix the highlighted fields.")
	if name == "" {
		faults.Fields = append(faults.Fields, apperr.Field{Name: "identifier", Message: "Enter your username or email address."})
	}
	if in.Password == "" {
		faults.Fields = append(faults.Fields, apperr.Field{Name: "password", Message: "Enter your password."})
	}
	if faults.Fields != nil {
		return "", faults
	}
	return name, nil
}

// signedIn is the response to a login. Only clients that are not browsers get the tokens in it: no script in a page may
// read them.
type signedIn struct {
	User         User   `json:"user"`
	AccessToken  string `json:"accessToken,omitempty"`
	RefreshToken string `json:"refreshToken,omitempty"`
	Notice       string `json:"notice,omitempty"` // a warning about the account's security

	Second *secondStep `json:"-"` // the login takes a second step, so there is no session yet
}

// New is GET /login: the form.
func (s SessionActions) New(c *gin.Context) error {
	return respond.Show(c, "sessions/new", login{Next: safeNext(c.Query("next")), Remember: true, door: s.openDoor(c)})
}

// Create is POST /login.
func (s SessionActions) Create(c *gin.Context) error {
	var in login
	err := input.Read(c.Request, &in, nil)
	in.Passkeys = s.Passkeys != nil
	if err != nil {
		return respond.Invalid(c, "sessions/new", in, err)
	}
	out, err := s.logIn(c, in)
	countLogin(c, out.Second != nil, err)
	if err != nil {
		return respond.Invalid(c, "sessions/new", in, err)
	}
	if out.Second != nil {
		return respond.Done(c, "Your password is correct.", secondPath(in.Next), out.Second)
	}
	return respond.Done(c, "You are logged in.", safeNext(in.Next), out)
}

func (s SessionActions) logIn(c *gin.Context, in login) (signedIn, error) {
	if err := s.checkCookies(c, in.door); err != nil {
		return signedIn{}, err
	}
	user, err := s.authenticate(c, in)
	if err != nil {
		return signedIn{}, err
	}
	if user.FactorsCount > 0 {
		return s.askSecond(c, user, in.Remember)
	}
	var session *models.Session
	err = s.DB.Atomically(c, func(ctx context.Context) error {
		if session, err = s.beginSession(ctx, c, user, in.Remember); err != nil {
			return err
		}
		// The password may have been changed while it was being checked: no session that began with the old one may
		// outlive it.
		return s.Users.ConfirmPassword(ctx, user)
	})
	if apperr.Is(err, apperr.NotFound) {
		err = errWrongLogin().Because(err)
		if session != nil { // without transactions, it was stored
			err = errors.Join(err, s.endSession(c, user.ID, session.ID, models.PasswordChanged, models.Device{}))
		}
	}
	if err != nil {
		return signedIn{}, err
	}
	return s.signIn(c, user, session)
}

// authenticate finds the user and checks the password. An unknown user and a wrong password get the same response after
// the same work, so that nobody can find out here which names exist.
func (s SessionActions) authenticate(c *gin.Context, in login) (*models.User, error) {
	identifier, err := in.name()
	if err != nil {
		return nil, err
	}
	user, err := s.Users.ByLogin(c, identifier)
	if apperr.Is(err, apperr.NotFound) {
		user, err = &models.User{}, nil
	}
	if err != nil {
		return nil, err
	}
	attempt, err := s.Auth.Attempt(c, identifier, user.ID)
	if err != nil {
		return nil, err
	}
	ok, err := s.Hasher.Matches(c, user.PasswordHash, in.Password, attempt.Turn(c))
	attempt.End(c, ok, err)
	if err != nil {
		return nil, err
	}
	if !ok {
		s.noteFailure(c, user)
		return nil, errWrongLogin()
	}
	if user.DisabledAt != nil { // only revealed to those who know the password
		return nil, apperr.New(apperr.Forbidden, "A moderator has disabled this account.")
	}
	return s.rehash(c, user, in.Password)
}

func errWrongLogin() *apperr.Error {
	return apperr.New(apperr.Unauthorized, "Wrong username or password.")
}

// beginSession starts a session for the user in this browser, replacing the one whose cookies came with the request.
func (a *App) beginSession(ctx context.Context, c *gin.Context, user *models.User, remember bool) (session *models.Session, err error) {
	device := middlewares.DeviceOf(c)
	err = a.DB.Atomically(ctx, func(ctx context.Context) error {
		if err := a.endSessions(ctx, c, models.NewLogin); err != nil {
			return err
		}
		var oldest []*models.Session
		if session, oldest, err = a.Sessions.Create(ctx, user.ID, remember, device); err != nil {
			return err
		}
		if err := a.noteEnded(ctx, oldest, device); err != nil {
			return err
		}
		return a.Events.Add(ctx, models.EventLogin, session, device)
	})
	return session, err
}

// signIn issues the tokens of a new session.
func (a *App) signIn(c *gin.Context, user *models.User, session *models.Session) (signedIn, error) {
	if err := a.meetDevice(c, user, session, a.Auth.SetDeviceCookie(c, user.ID)); err != nil {
		return signedIn{}, err
	}
	pair, err := a.Auth.Issue(c, user, session)
	if err != nil {
		return signedIn{}, err
	}
	out := signedIn{User: a.user(user, true), Notice: loginNotice(user, session)}
	if !fromBrowser(c) {
		out.AccessToken, out.RefreshToken = pair.Access, pair.Refresh
	}
	return out, nil
}

// Delete is POST /logout: ends the session of any token in the request, even an expired one. It is idempotent.
func (s SessionActions) Delete(c *gin.Context) error {
	if err := s.endSessions(c, c, models.LoggedOut); err != nil {
		return err
	}
	s.forget(c)
	return respond.Done(c, "You are logged out.", "/", nil)
}

// forget clears the cookies. That is enough: private pages are no-store, so the Back button shows none of them.
// Clear-Site-Data would stall Chromium for seconds if its cache is full.
func (a *App) forget(c *gin.Context) { a.Auth.Clear(c) }

// endSessions ends the sessions that the request's tokens belong to.
func (a *App) endSessions(ctx context.Context, c *gin.Context, why models.EndReason) error {
	for _, claims := range a.Auth.Presented(c) {
		user, _ := bson.ObjectIDFromHex(claims.UserID) // can't fail: we signed these claims; nothing has the zero id
		id, _ := bson.ObjectIDFromHex(claims.SessionID)
		if err := a.endSession(ctx, user, id, why, middlewares.DeviceOf(c)); err != nil {
			return err
		}
	}
	return nil
}

// endSession ends a session unless it has already ended, and logs a logout.
func (a *App) endSession(ctx context.Context, user, id bson.ObjectID, why models.EndReason, d models.Device) error {
	return a.DB.Atomically(ctx, func(ctx context.Context) error {
		ended, err := a.Sessions.End(ctx, user, id, why)
		if apperr.Is(err, apperr.NotFound) {
			return nil
		}
		if err != nil || why != models.LoggedOut {
			return err
		}
		return a.Events.Add(ctx, models.EventLogout, ended, d)
	})
}

type renewal struct {
	RefreshToken string `form:"RefreshToken" json:"RefreshToken"`
}

// Renew is POST /renew of the API: exchanges a refresh token for a new pair of tokens, for clients that manage renewal
// themselves. The token is read from the body, the Authorization header or the cookie, in this order.
func (s SessionActions) Renew(c *gin.Context) error {
	var in renewal
	if err := input.Read(c.Request, &in, nil); err != nil {
		return err
	}
	header, _ := middlewares.HeaderToken(c.Request)
	raw := cmp.Or(in.RefreshToken, header)
	explicit := raw != ""
	if !explicit {
		_, raw = s.Auth.Cookies.Read(c, s.Log)
	}
	if raw == "" {
		return apperr.New(apperr.Unauthorized, "Send a refresh token.")
	}
	id, pair, err := s.Auth.Renew(c, raw)
	if err != nil {
		return err
	}
	if id.State != middlewares.SignedIn {
		c.Header("WWW-Authenticate", `Bearer realm="tokentube", error="invalid_token"`)
		return apperr.New(apperr.Unauthorized, "This refresh token is no longer valid. Log in again.").Because(token.ErrExpired)
	}
	out := signedIn{User: s.user(id.User, true)}
	if explicit && !fromBrowser(c) {
		out.AccessToken, out.RefreshToken = pair.Access, pair.Refresh
	}
	return respond.Done(c, "Tokens renewed.", "/", out)
}

// rehash upgrades the stored hash to the current cost while the plaintext password is at hand.
func (s SessionActions) rehash(c *gin.Context, user *models.User, password string) (*models.User, error) {
	if !s.Hasher.Outdated(user.PasswordHash) {
		return user, nil
	}
	hash, err := s.Hasher.Hash(c, password, middlewares.Turn(c, user.ID))
	if err != nil {
		return nil, err
	}
	return s.Users.SetPassword(c, user.ID, user.PasswordHash, hash)
}

// loginNotice is the warning shown at login: that a token was stolen, or the address lost.
func loginNotice(u *models.User, s *models.Session) string {
	if u.TheftToTell(s) == nil {
		if u.EmailLostAt != nil {
			return "Somebody else registered with your email address, because you hadn't confirmed it. Add another one in your settings: without it, a forgotten password is lost."
		}
		return ""
	}
	return "One of your old tokens was used again after it had been replaced, which happens when someone else has a copy. " +
		"We signed out the login it belongs to. Check your security log, and change your password unless you know why."
}

// noteFailure logs a failed login for the owner of the account. It does so in the background: the response must not be
// slower for names that exist.
func (a *App) noteFailure(c *gin.Context, user *models.User) {
	if user.ID.IsZero() {
		return
	}
	a.Events.AddLater(models.EventLoginFailed, &models.Session{User: user.ID}, middlewares.DeviceOf(c), func(err error) {
		a.Log.Error("event not kept", "event", models.EventLoginFailed, "error", err)
	})
}

// checkCookies returns an error if no login would last: the browser drops the cookies, or has two of the same name.
// Over plain HTTP, Secure cookies are kept only for loopback hosts, and not by every browser.
func (a *App) checkCookies(c *gin.Context, d door) error {
	if name := middlewares.Current(c).Twice; name != "" {
		return apperr.New(apperr.Invalid, "%s", middlewares.TwiceMessage(name))
	}
	plain := !a.Config.HTTPS() && c.Request.TLS == nil && a.Auth.Cookies.IsSecure(c.Request)
	if plain && fromBrowser(c) && !middlewares.Loopback(c.Request.Host) {
		host := (&url.URL{Host: c.Request.Host}).Hostname()
		return apperr.New(apperr.Invalid, "Over plain HTTP, your browser won't keep you logged in at %s. Open the site at %s, or use HTTPS.", host, a.Config.BaseURL)
	}
	if !d.Probe || a.Auth.Cookies.Probed(c.Request) {
		return nil
	}
	a.Auth.Cookies.Probe(c) // the browser may just have been closed in between
	if plain {
		return apperr.New(apperr.Invalid, "Your browser blocked this form's cookie, so you couldn't stay logged in. "+
			"Over plain HTTP, Safari drops Secure cookies: set COOKIE_SECURE=auto and restart the site, or use another browser. If you just allowed cookies, try again.")
	}
	return apperr.New(apperr.Invalid, "Your browser blocked this form's cookie, so you couldn't stay logged in. Allow cookies for this site, then try again.")
}

// fromBrowser recognizes a browser by headers that only browsers send, and that no page can suppress.
func fromBrowser(c *gin.Context) bool {
	return c.GetHeader("Sec-Fetch-Site") != "" || c.GetHeader("Origin") != ""
}

// safeNext is where to go after a login: a path of this site, or else the home page. It rejects anything that a browser
// could read as another site (open redirect): "//host", "/\host", a scheme, control characters.
func safeNext(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || u.User != nil ||
		!strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsFunc(next, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }) {
		return "/"
	}
	return next
}
