package controllers

import (
	"context"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/password"
	"tokentube/utils/respond"
)

type passwordChange struct {
	OldPassword     string `form:"oldPassword" json:"oldPassword,omitempty"`
	NewPassword     string `form:"newPassword" json:"newPassword,omitempty"`
	ConfirmPassword string `form:"confirmPassword" json:"confirmPassword,omitempty"`
}

// EditPassword is GET /settings/password.
func (s Settings) EditPassword(c *gin.Context) error {
	return respond.Show(c, "settings/password", passwordChange{})
}

// UpdatePassword is PATCH /settings/password. It ends every session including this one, and begins a new one here: a
// thief who holds this session's tokens gets nothing from the change.
func (s Settings) UpdatePassword(c *gin.Context) error {
	var in passwordChange
	if err := input.Read(c.Request, &in, nil); err != nil {
		return respond.Invalid(c, "settings/password", passwordChange{}, err)
	}
	out, err := s.changePassword(c, in)
	if err != nil {
		return respond.Invalid(c, "settings/password", passwordChange{}, err)
	}
	return respond.Done(c, "Password changed. All other devices were signed out.", "/settings/password", out)
}

// check checks the new password.
func (in passwordChange) check(user *models.User) error {
	fault := checkNew(user, in.NewPassword, in.ConfirmPassword)
	if fault == nil && password.Same(in.NewPassword, in.OldPassword) {
		fault = apperr.InvalidField("newPassword", "That is already your password. Choose a new one.")
	}
	return fault
}

func (s Settings) changePassword(c *gin.Context, in passwordChange) (signedIn, error) {
	id := middlewares.Current(c)
	if err := apperr.Join(s.checkPassword(c, "oldPassword", in.OldPassword), in.check(id.User)); err != nil {
		return signedIn{}, err
	}
	hash, err := s.Hasher.Hash(c, in.NewPassword, middlewares.Turn(c, id.User.ID))
	if err != nil {
		return signedIn{}, err
	}
	user, session, err := s.setPassword(c, id, hash)
	if err != nil {
		return signedIn{}, err
	}
	s.tell(c, models.MailPassword, user)
	return s.signIn(c, user, session)
}

// setPassword changes the hash and ends all sessions, or does neither.
func (s Settings) setPassword(c *gin.Context, id middlewares.Identity, hash string) (user *models.User, session *models.Session, err error) {
	err = s.DB.Atomically(c, func(ctx context.Context) error {
		if err := s.replacePassword(ctx, id.User, hash, models.EventPassword, id.Session, middlewares.DeviceOf(c)); err != nil {
			return err
		}
		if user, err = s.Users.ByID(ctx, id.User.ID); err != nil {
			return err
		}
		user.TheftAt = nil
		session, err = s.beginSession(ctx, c, user, id.Session.Remember)
		return err
	})
	if apperr.Is(err, apperr.NotFound) { // changed concurrently, for example in another tab
		err = apperr.InvalidField("oldPassword", "That password was just changed. Enter the new one.")
	}
	return user, session, err
}
