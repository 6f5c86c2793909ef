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

// Confirmations are how somebody who is logged in proves that it's still them (see middlewares.Group.Confirmed).
type Confirmations struct{ *App }

// Routes registers the feature. Sending it twice proves nothing more.
func (f Confirmations) Routes(r middlewares.Access) {
	r.Sensitive.Page(http.MethodGet, "/confirm", f.New)
	r.Sensitive.Both(http.MethodPost, "/confirm", f.Create)
}

type confirmation struct {
	Password string `form:"password" json:"password,omitempty"`
	Next     string `form:"next" json:"next"`
}

// Why says what the confirmation is for, as far as the page that asked for it tells.
func (in confirmation) Why() string {
	for _, page := range []struct{ path, purpose string }{
		{"/settings/data", "download your data"},
	} {
		if strings.HasPrefix(in.Next, page.path) {
			return "Before you " + page.purpose + ", enter your password again."
		}
	}
	return "Before you go on, enter your password again."
}

// confirmed answers a confirmation.
type confirmed struct {
	ProvedAt time.Time `json:"provedAt"`
	Until    time.Time `json:"confirmedUntil"` // nothing is asked again before
}

// New is GET /confirm: the form.
func (f Confirmations) New(c *gin.Context) error {
	return respond.Show(c, "sessions/confirm", confirmation{Next: safeNext(c.Query("next"))})
}

// Create is POST /confirm.
func (f Confirmations) Create(c *gin.Context) error {
	var in confirmation
	err := input.Read(c.Request, &in, nil)
	if err == nil {
		err = f.checkPassword(c, "password", in.Password)
	}
	if err != nil {
		return respond.Invalid(c, "sessions/confirm", confirmation{Next: safeNext(in.Next)}, err)
	}
	id := middlewares.Current(c)
	if err := f.Events.Add(c, models.EventConfirmed, id.Session, middlewares.DeviceOf(c)); err != nil {
		return err
	}
	out := confirmed{id.Session.ProvedAt, id.Session.ProvedUntil()}
	return respond.Done(c, "Thank you. Nothing is asked again for ten minutes.", safeNext(in.Next), out)
}

// checkPassword makes sure that it is still the owner who sits there. A form that asks for the password by itself is thereby
// a confirmation: nothing is asked again for a while.
func (a *App) checkPassword(c *gin.Context, field, password string) error {
	if password == "" {
		return apperr.InvalidField(field, "Enter your password.")
	}
	user := middlewares.Current(c).User
	// Counted like a login: whoever stole a session must not guess here instead.
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

// proved notes in the session of a request that its owner proved who they are, or in the log that somebody could not.
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
