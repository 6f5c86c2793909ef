package controllers

import (
	"context"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

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

// UpdatePassword is PATCH /settings/password. It ends every session, this one too, and begins a new one here: a thief who
// holds this session's tokens gets nothing of it.
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

// check says what is wrong with the new password.
func (in passwordChange) check(user *models.User) error {
	fault := newPassword("newPassword", in.NewPassword, user.Username, user.Email, user.FullName)
	if fault == nil && password.Same(in.NewPassword, in.OldPassword) {
		fault = apperr.InvalidField("newPassword", "That is already your password. Choose a new one.")
	}
	if !password.Same(in.NewPassword, in.ConfirmPassword) {
		fault = apperr.Join(fault, apperr.InvalidField("confirmPassword", "The passwords don't match."))
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
	return s.signIn(c, user, session)
}

// setPassword changes the hash and ends all sessions, or does nothing at all.
func (s Settings) setPassword(c *gin.Context, id middlewares.Identity, hash string) (user *models.User, session *models.Session, err error) {
	err = s.DB.Atomically(c, func(ctx context.Context) error {
		if user, err = s.Users.SetPassword(ctx, id.User.ID, id.User.PasswordHash, hash); err != nil {
			return err
		}
		if _, err := s.Sessions.EndOthers(ctx, user.ID, bson.NilObjectID, models.PasswordChanged); err != nil {
			return err
		}
		if err := s.Events.Add(ctx, models.EventPassword, id.Session, middlewares.DeviceOf(c)); err != nil {
			return err
		}
		// What the notice of a theft asks for is done.
		if err := s.Users.DismissTheft(ctx, user.ID, s.Now()); err != nil {
			return err
		}
		user.TheftAt = nil
		session, err = s.beginSession(ctx, c, user, id.Session.Remember)
		return err
	})
	if apperr.Is(err, apperr.NotFound) { // changed in another tab meanwhile
		err = apperr.InvalidField("oldPassword", "That password was just changed. Enter the new one.")
	}
	return user, session, err
}
