package controllers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// Confirmations let a logged-in user prove that it's still them (see middlewares.Group.Confirmed).
type Confirmations struct{ *App }

// Routes registers the feature. Submitting it twice has no further effect.
func (f Confirmations) Routes(r middlewares.Access) {
	r.Sensitive.Page(http.MethodGet, "/confirm", f.New)
	r.Sensitive.Both(http.MethodPost, "/confirm", f.Create)
}

type confirmation struct {
	Password string `form:"password" json:"password,omitempty"`
	Code     string `form:"code" json:"code,omitempty"`       // of the authenticator app, instead of the password
	Passkey  string `form:"passkey" json:"passkey,omitempty"` // the signed challenge, also instead: see passkeySigned
	Next     string `form:"next" json:"next"`

	HasApp     bool `form:"-" json:"-"`
	HasPasskey bool `form:"-" json:"-"`
}

// Why explains what the confirmation is for, based on the page that asked for it.
func (in confirmation) Why() string {
	for _, page := range []struct{ path, purpose string }{
		{"/settings/data", "download your data"}, {"/settings/factors", "change how you log in"},
		{"/admin/", "change somebody’s account"},
	} {
		if strings.HasPrefix(in.Next, page.path) {
			return "Before you " + page.purpose + ", show that it’s still you."
		}
	}
	return "Before you go on, show that it’s still you."
}

// confirmed is the response to a confirmation.
type confirmed struct {
	ProvedAt time.Time `json:"provedAt"`
	Until    time.Time `json:"confirmedUntil"` // no confirmation is needed until then
}

// New is GET /confirm: the form.
func (f Confirmations) New(c *gin.Context) error {
	page, err := f.page(c, c.Query("next"))
	if err != nil {
		return err
	}
	return respond.Show(c, "sessions/confirm", page)
}

func (f Confirmations) page(c *gin.Context, next string) (page confirmation, err error) {
	page.Next = safeNext(next)
	user := middlewares.Current(c).User
	if page.HasPasskey, err = f.hasPasskey(c, user); err != nil {
		return page, err
	}
	page.HasApp, err = f.hasAuthenticator(c, user)
	return page, err
}

// Create is POST /confirm.
func (f Confirmations) Create(c *gin.Context) error {
	var in confirmation
	err := input.Read(c.Request, &in, nil)
	switch {
	case err != nil:
	case in.Password == "" && in.Code != "":
		err = f.checkCode(c, in.Code)
	case in.Password == "" && in.Passkey != "":
		err = f.confirmByPasskey(c, in.Passkey)
	default:
		err = f.checkPassword(c, "password", in.Password)
	}
	if err != nil {
		page, failed := f.page(c, in.Next)
		if failed != nil {
			return failed
		}
		return respond.Invalid(c, "sessions/confirm", page, err)
	}
	id := middlewares.Current(c)
	if err := f.Events.Add(c, models.EventConfirmed, id.Session, middlewares.DeviceOf(c)); err != nil {
		return err
	}
	out := confirmed{id.Session.ProvedAt, id.Session.ProvedUntil()}
	return respond.Done(c, "Thank you. Nothing is asked again for ten minutes.", safeNext(in.Next), out)
}

// checkPassword verifies that the user is still the owner. So a form that asks for the password counts as a
// confirmation: no further one is needed for a while.
func (a *App) checkPassword(c *gin.Context, field, password string) error {
	if password == "" {
		return apperr.InvalidField(field, "Enter your password.")
	}
	user := middlewares.Current(c).User
	// Counted like a login: a thief with a session must not be able to guess here instead.
	attempt, err := a.Auth.Attempt(c, user.Username, user.ID)
	if err != nil {
		return err
	}
	ok, err := a.Hasher.Matches(c, user.PasswordHash, password, attempt.Turn(c))
	attempt.End(c, ok, err)
	if err != nil {
		return err
	}
	return a.proved(c, ok, apperr.InvalidField(field, "That password is incorrect."))
}

// checkCode is checkPassword with a code of the authenticator app.
func (a *App) checkCode(c *gin.Context, code string) error {
	user := middlewares.Current(c).User
	attempt, err := a.Auth.AttemptCode(c, user, true)
	if err != nil {
		return err
	}
	err = a.Factors.UseAuthenticator(c, user.ID, code)
	wrong := apperr.Is(err, apperr.Invalid)
	if wrong {
		attempt.End(c, false, nil)
	} else {
		attempt.End(c, true, err)
	}
	if err != nil && !wrong {
		return err
	}
	return a.proved(c, !wrong, err)
}

// proved records in the session that its owner confirmed who they are, or in the log that the attempt failed.
func (a *App) proved(c *gin.Context, ok bool, otherwise error) error {
	id := middlewares.Current(c)
	if !ok {
		return errors.Join(a.Events.Add(context.WithoutCancel(c), models.EventConfirmFailed, id.Session, middlewares.DeviceOf(c)), otherwise)
	}
	session, err := a.Sessions.Prove(c, id.User.ID, id.Session.ID)
	if errors.Is(err, models.ErrSessionOver) {
		return apperr.New(apperr.Unauthorized, "You have been logged out. Log in again.").Because(err)
	}
	if err == nil {
		middlewares.SetSession(c, session)
	}
	return err
}
