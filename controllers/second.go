package controllers

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
	"tokentube/utils/token"
)

// The second step of a login. After the correct password for an account with a second factor, the browser gets a token
// that is only good for this step, for five minutes and once. No session exists until the step is complete.

type secondInput struct {
	Token  string `form:"-" json:"token,omitempty"` // for programs; browsers use the cookie
	Method string `form:"method" json:"method,omitempty"`
	Code   string `form:"code" json:"code"`
	Next   string `form:"next" json:"next"`

	Passkey string `form:"passkey" json:"passkey,omitempty"` // the signed response: see passkeySigned
}

// secondMethod is one way to complete the second step.
type secondMethod struct {
	name string
	has  func(ctx context.Context, u *models.User) (bool, error)
	// check inspects what was sent and returns the function that accepts it, once. Call that within the change that
	// begins the session.
	check func(c *gin.Context, half *token.Claims, u *models.User, in secondInput) (use, error)
}

// use accepts a proof of identity, once. Call it within the change that the proof is for.
type use func(ctx context.Context) error

const (
	byAuthenticator = "authenticator"
	byRecoveryCode  = "recoveryCode"
	byPasskey       = "passkey"
)

// secondMethods returns all ways to complete the second step.
func (a *App) secondMethods() []secondMethod {
	return []secondMethod{
		{byPasskey, a.hasPasskey, func(c *gin.Context, half *token.Claims, u *models.User, in secondInput) (use, error) {
			_, use, err := a.passkeySigned(c, models.PasskeySecond, u, half.ID, in.Passkey)
			return use, err
		}},
		{byAuthenticator, a.hasAuthenticator, func(_ *gin.Context, _ *token.Claims, u *models.User, in secondInput) (use, error) {
			return func(ctx context.Context) error { return a.Factors.UseAuthenticator(ctx, u.ID, in.Code) }, nil
		}},
		{byRecoveryCode, func(ctx context.Context, u *models.User) (bool, error) {
			n, err := a.Factors.CodesLeft(ctx, u.ID)
			return n > 0, err
		}, func(c *gin.Context, _ *token.Claims, u *models.User, in secondInput) (use, error) {
			return func(ctx context.Context) error { return a.useRecoveryCode(ctx, c, u, in.Code) }, nil
		}},
	}
}

func (a *App) hasAuthenticator(ctx context.Context, u *models.User) (bool, error) {
	_, err := a.Factors.Authenticator(ctx, u.ID, true)
	if apperr.Is(err, apperr.NotFound) {
		return false, nil
	}
	return err == nil, err
}

func (a *App) useRecoveryCode(ctx context.Context, c *gin.Context, u *models.User, code string) error {
	left, err := a.Factors.UseRecoveryCode(ctx, u.ID, code)
	if err != nil {
		return err
	}
	device := middlewares.DeviceOf(c)
	store.After(ctx, func() { a.tellAbout(c, models.MailCodeUsed, u, device, strconv.Itoa(left)) })
	return a.Events.AddAbout(ctx, models.EventCodeUsed, &models.Session{User: u.ID}, device, strconv.Itoa(left))
}

// secondStep is the response to the first step of a login that takes two.
type secondStep struct {
	Methods   []string  `json:"methods"`
	Token     string    `json:"secondStepToken,omitempty"` // only for programs
	ExpiresAt time.Time `json:"expiresAt"`
	Next      string    `json:"-"`
	Code      string    `json:"-"` // never sent back
}

// Has reports whether the method is available, for the page.
func (s secondStep) Has(method string) bool {
	for _, m := range s.Methods {
		if m == method {
			return true
		}
	}
	return false
}

func secondPath(next string) string {
	if next = safeNext(next); next != "/" {
		return "/login/code?next=" + url.QueryEscape(next)
	}
	return "/login/code"
}

// askSecond issues the token for the second step after a correct password.
func (s SessionActions) askSecond(c *gin.Context, user *models.User, remember bool) (out signedIn, err error) {
	kind := s.Auth.Tokens.Second
	once, err := s.Links.Make(c, user, models.SecondStep, user.Email)
	if err != nil {
		return out, err
	}
	raw, err := user.GenerateSecondStepToken(s.Auth.Tokens, once, remember, s.Now())
	if err != nil {
		return out, err
	}
	s.Auth.Cookies.SetSecond(c, raw, kind.TTL)
	step, err := s.secondStep(c, user, s.Now().Add(kind.TTL))
	if !fromBrowser(c) {
		step.Token = raw
	}
	out.Second = &step
	return out, err
}

func (s SessionActions) secondStep(c *gin.Context, user *models.User, end time.Time) (secondStep, error) {
	step := secondStep{Methods: []string{}, ExpiresAt: end}
	for _, m := range s.secondMethods() {
		has, err := m.has(c, user)
		if err != nil {
			return step, err
		}
		if has {
			step.Methods = append(step.Methods, m.name)
		}
	}
	return step, nil
}

func errSecondOver() *apperr.Error {
	return apperr.New(apperr.Unauthorized, "This login took too long, or was completed already. Start again with your password.")
}

// pending returns whose login is waiting for the second step. Removing the factor or changing the password in between
// cancels it.
func (s SessionActions) pending(c *gin.Context, raw string) (*token.Claims, *models.User, error) {
	if raw == "" {
		raw = s.Auth.Cookies.Second(c.Request)
	}
	claims, err := s.Auth.Tokens.Second.Verify(raw)
	if err != nil {
		return nil, nil, errSecondOver().Because(err)
	}
	user, _, err := s.Links.Look(c, models.SecondStep, claims.ID)
	if apperr.Is(err, apperr.Invalid) || err == nil && (user.ID.Hex() != claims.UserID || user.FactorsCount == 0) {
		return nil, nil, errSecondOver().Because(err)
	}
	return claims, user, err
}

// NewSecond is GET /login/code: the page of the second step.
func (s SessionActions) NewSecond(c *gin.Context) error {
	next := safeNext(c.Query("next"))
	claims, user, err := s.pending(c, "")
	if apperr.Is(err, apperr.Unauthorized) {
		return respond.Redirect(c, "/login?next="+url.QueryEscape(next))
	}
	if err != nil {
		return err
	}
	step, err := s.secondStep(c, user, claims.ExpiresAt.Time)
	if err != nil {
		return err
	}
	step.Next = next
	return respond.Show(c, "sessions/second", step)
}

// CreateSecond is POST /login/code: the second step, which begins the session.
func (s SessionActions) CreateSecond(c *gin.Context) error {
	var in secondInput
	if err := input.Read(c.Request, &in, nil); err != nil {
		return err
	}
	next := safeNext(in.Next)
	claims, user, err := s.pending(c, in.Token)
	var out signedIn
	if err == nil {
		out, err = s.completeLogin(c, claims, user, in)
		countLogin(c, false, err)
	}
	if err == nil {
		s.Auth.Cookies.ClearSecond(c)
		return respond.Done(c, "You are logged in.", next, out)
	}
	if respond.WantsJSON(c) {
		return err
	}
	if apperr.Is(err, apperr.Unauthorized) {
		s.Auth.Cookies.ClearSecond(c)
		return respond.Invalid(c, "sessions/new", login{Next: next, Remember: true, door: s.openDoor(c)}, err)
	}
	if user == nil {
		return err
	}
	step, failed := s.secondStep(c, user, claims.ExpiresAt.Time)
	if failed != nil {
		return failed
	}
	step.Next = next
	return respond.Invalid(c, "sessions/second", step, err)
}

// method returns the chosen method, or else the one that fits the form of the input.
func (s SessionActions) method(in secondInput) (secondMethod, error) {
	name := in.Method
	switch {
	case name != "":
	case models.IsRecoveryCode(in.Code):
		name = byRecoveryCode
	case in.Code == "" && in.Passkey != "":
		name = byPasskey
	default:
		name = byAuthenticator
	}
	for _, m := range s.secondMethods() {
		if m.name == name {
			return m, nil
		}
	}
	return secondMethod{}, apperr.InvalidField("method", "There is no such method.")
}

func (s SessionActions) completeLogin(c *gin.Context, claims *token.Claims, user *models.User, in secondInput) (out signedIn, err error) {
	method, err := s.method(in)
	if err != nil {
		return out, err
	}
	attempt, err := s.Auth.AttemptCode(c, user, method.name == byAuthenticator)
	if err != nil {
		return out, err
	}
	session, err := s.secondSession(c, claims, user, method, in)
	s.endAttempt(c, attempt, user, err)
	s.noteCopied(c, err)
	if apperr.Is(err, apperr.NotFound) {
		err = errSecondOver().Because(err)
	}
	if err != nil {
		return out, err
	}
	return s.signIn(c, user, session)
}

// secondSession begins the session if the proof for the second step is valid.
func (s SessionActions) secondSession(c *gin.Context, claims *token.Claims, user *models.User, method secondMethod, in secondInput) (session *models.Session, err error) {
	use, err := method.check(c, claims, user, in)
	if err != nil {
		return nil, err
	}
	err = s.DB.Atomically(c, func(ctx context.Context) error {
		// This comes first: without transactions, a wrong code must not use up the token.
		if err := use(ctx); err != nil {
			return err
		}
		if _, _, err := s.Links.Use(ctx, models.SecondStep, claims.ID); err != nil {
			return errSecondOver().Because(err)
		}
		// As in logIn: after a password change or with a disabled account, no session may begin.
		if err := s.Users.ConfirmPassword(ctx, user); err != nil {
			return err
		}
		session, err = s.beginSession(ctx, c, user, claims.Remember)
		return err
	})
	return session, err
}

// endAttempt counts a wrong code and notes it in the owner's security log: somebody knows their password.
func (s SessionActions) endAttempt(c *gin.Context, attempt *middlewares.Attempt, user *models.User, err error) {
	if !apperr.Is(err, apperr.Invalid) {
		attempt.End(c, err == nil, err)
		return
	}
	attempt.End(c, false, nil)
	failed := s.Events.Add(context.WithoutCancel(c), models.EventSecondFailed, &models.Session{User: user.ID}, middlewares.DeviceOf(c))
	if failed != nil {
		s.Log.ErrorContext(c, "event not kept", "event", models.EventSecondFailed, "error", failed)
	}
}
