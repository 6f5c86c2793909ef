package controllers

import (
	"cmp"
	"errors"
	"net/http"
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

// Sessions are the actions that begin, renew and end a login.
type Sessions struct{ *App }

// Routes registers the feature. None of it renews on the way: each sets or
// clears the cookies itself.
func (s Sessions) Routes(r middlewares.Access) {
	guest := r.Guest.NoRenew()
	guest.Page(http.MethodGet, "/login", s.New)
	guest.Page(http.MethodPost, "/login", s.Create)
	guest.API(http.MethodPost, "/users/login", s.Create)
	guest.Page(http.MethodPost, "/logout", s.Delete)
	guest.API(http.MethodPost, "/users/logout", s.Delete)
	guest.Limit(s.Auth.Limits.Renewals).API(http.MethodPost, "/users/regenerate-tokens", s.Renew)
}

type login struct {
	Identifier string `form:"identifier" json:"identifier"`
	Username   string `form:"username" json:"username,omitempty"` // instead of identifier
	Email      string `form:"email" json:"email,omitempty"`       // instead of identifier
	Password   string `form:"password" json:"password,omitempty"`
	Remember   bool   `form:"remember" json:"remember"`
	Next       string `form:"next" json:"next"`
}

// name is the username or e-mail address, under whichever field it came.
func (in login) name() (string, error) {
	name := strings.TrimSpace(cmp.Or(in.Identifier, in.Username, in.Email))
	faults := apperr.New(apperr.Invalid, "Please fill in what is marked.")
	if name == "" {
		faults.Fields = append(faults.Fields, apperr.Field{Name: "identifier", Message: "This is needed."})
	}
	if in.Password == "" {
		faults.Fields = append(faults.Fields, apperr.Field{Name: "password", Message: "This is needed."})
	}
	if faults.Fields != nil {
		return "", faults
	}
	return name, nil
}

// signedIn answers a login. The tokens are there only for clients that are not
// browsers: in a page, no script may read them.
type signedIn struct {
	User         User   `json:"user"`
	AccessToken  string `json:"accessToken,omitempty"`
	RefreshToken string `json:"refreshToken,omitempty"`
	Notice       string `json:"notice,omitempty"` // what the user must know about the account's safety
}

// New is GET /login: the form.
func (s Sessions) New(c *gin.Context) error {
	return respond.Show(c, "sessions/new", login{Next: safeNext(c.Query("next")), Remember: true})
}

// Create is POST /login and /users/login.
func (s Sessions) Create(c *gin.Context) error {
	var in login
	err := input.Read(c.Request, &in, nil)
	if err == nil {
		var out signedIn
		if out, err = s.logIn(c, in); err == nil {
			return respond.Done(c, "You are logged in.", safeNext(in.Next), out)
		}
	}
	return respond.Invalid(c, "sessions/new", in, err)
}

func (s Sessions) logIn(c *gin.Context, in login) (signedIn, error) {
	if err := s.checkCookies(c); err != nil {
		return signedIn{}, err
	}
	user, err := s.authenticate(c, in)
	if err != nil {
		return signedIn{}, err
	}
	out, session, err := s.beginSession(c, user, in.Remember)
	if err != nil {
		return signedIn{}, err
	}
	// The password may have been changed while it was being checked: the session
	// of the old one must not outlive the change.
	now, err := s.Users.ByID(c, user.ID)
	if err != nil || now.PasswordHash != user.PasswordHash {
		s.Auth.Cookies.Clear(c)
		_, over := s.Sessions.End(c, user.ID, session.ID, models.PasswordChanged)
		return signedIn{}, errors.Join(errWrongLogin(), err, over)
	}
	return out, nil
}

// authenticate finds the user and checks the password. An unknown user and a
// wrong password get the same answer after the same work, so that nobody can
// find out here which names exist.
func (s Sessions) authenticate(c *gin.Context, in login) (*models.User, error) {
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
	ok, err := s.Hasher.Matches(c, user.PasswordHash, in.Password)
	ok = ok && user.DisabledAt == nil
	if ok || err != nil {
		attempt.GiveBack(c) // what is refused counts, and nothing else
	}
	if err != nil {
		return nil, err
	}
	if !ok {
		s.noteFailure(c, user)
		return nil, errWrongLogin()
	}
	return s.rehash(c, user, in.Password)
}

func errWrongLogin() error {
	return apperr.New(apperr.Unauthorized, "The name or the password is wrong.")
}

// beginSession starts a session for the user in this browser, in place of the one whose
// cookies came with the request, and sets the cookies.
func (s *App) beginSession(c *gin.Context, user *models.User, remember bool) (signedIn, *models.Session, error) {
	if err := s.endSessions(c, models.NewLogin); err != nil {
		return signedIn{}, nil, err
	}
	device := middlewares.DeviceOf(c)
	session, err := s.Sessions.Create(c, user.ID, remember, device)
	if err != nil {
		return signedIn{}, nil, err
	}
	oldest, err := s.Sessions.EndOldest(c, user.ID)
	if err := errors.Join(err, s.noteEnded(c, oldest)); err != nil {
		return signedIn{}, nil, err
	}
	s.Auth.SetDeviceCookie(c, user.ID)
	pair, err := s.Auth.Issue(c, user, session)
	if err != nil {
		return signedIn{}, nil, err
	}
	out := signedIn{User: s.user(user, true), Notice: theftNotice(user, session)}
	if !fromBrowser(c) {
		out.AccessToken, out.RefreshToken = pair.Access, pair.Refresh
	}
	return out, session, s.Events.Add(c, models.EventLogin, session, device)
}

// Delete is POST /logout and /users/logout: ends the session of whatever token
// came with the request, also an expired one. Doing it twice is fine.
func (s Sessions) Delete(c *gin.Context) error {
	if err := s.endSessions(c, models.LoggedOut); err != nil {
		return err
	}
	s.forget(c)
	return respond.Done(c, "You are logged out.", "/", nil)
}

// forget clears the cookies, and the pages that Back would show once more.
func (a *App) forget(c *gin.Context) {
	a.Auth.Cookies.Clear(c)
	c.Header("Clear-Site-Data", `"cache"`)
}

// endSessions ends the sessions that the request's tokens belong to.
func (s *App) endSessions(c *gin.Context, why models.RevocationReason) error {
	for _, claims := range s.Auth.Presented(c) {
		user, _ := bson.ObjectIDFromHex(claims.UserID) // we wrote them; nothing has the zero id
		id, _ := bson.ObjectIDFromHex(claims.SessionID)
		if err := s.endSession(c, user, id, why); err != nil {
			return err
		}
	}
	return nil
}

// endSession ends one, if it has not ended before, and notes a logout.
func (s *App) endSession(c *gin.Context, user, id bson.ObjectID, why models.RevocationReason) error {
	ended, err := s.Sessions.End(c, user, id, why)
	if apperr.Is(err, apperr.NotFound) {
		return nil
	}
	if err == nil && why == models.LoggedOut {
		err = s.Events.Add(c, models.EventLogout, ended, middlewares.DeviceOf(c))
	}
	return err
}

type renewal struct {
	RefreshToken string `form:"RefreshToken" json:"RefreshToken"`
}

// Renew is POST /users/regenerate-tokens: a new pair of tokens for a refresh
// token, for clients that renew by themselves. It is taken from the body, the
// Authorization header or the cookie, in this order.
func (s Sessions) Renew(c *gin.Context) error {
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
		return apperr.New(apperr.Unauthorized, "No refresh token was sent.")
	}
	id, pair, err := s.Auth.Renew(c, raw)
	if err != nil {
		return err
	}
	if id.State != middlewares.SignedIn {
		c.Header("WWW-Authenticate", `Bearer realm="tokentube", error="invalid_token"`)
		return apperr.New(apperr.Unauthorized, "This refresh token is no longer good. Please log in again.").Because(token.ErrExpired)
	}
	out := signedIn{User: s.user(id.User, true)}
	if explicit && !fromBrowser(c) {
		out.AccessToken, out.RefreshToken = pair.Access, pair.Refresh
	}
	return respond.Done(c, "The tokens are renewed.", "/", out)
}
