package controllers

import (
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

// UpdatePassword is PATCH /settings/password and /users/update-user-password. It
// ends every session, this one too, and begins a new one here: a thief who holds
// this session's tokens gets nothing of it.
func (s Settings) UpdatePassword(c *gin.Context) error {
	var in passwordChange
	err := input.Read(c.Request, &in, nil)
	if err == nil {
		var out signedIn
		if out, err = s.changePassword(c, in); err == nil {
			return respond.Done(c, "Your password is changed. All other devices are signed out.", "/settings/password", out)
		}
	}
	return respond.Invalid(c, "settings/password", passwordChange{}, err)
}

func (s Settings) changePassword(c *gin.Context, in passwordChange) (signedIn, error) {
	id := middlewares.Current(c)
	if fault := password.Check(in.NewPassword, id.User.Username, id.User.Email, id.User.FullName); fault != "" {
		return signedIn{}, apperr.InvalidField("newPassword", "%s", fault)
	}
	if in.NewPassword != in.ConfirmPassword {
		return signedIn{}, apperr.InvalidField("confirmPassword", "This is not the same as the new password.")
	}
	if err := s.checkPassword(c, "oldPassword", in.OldPassword); err != nil {
		return signedIn{}, err
	}
	if in.NewPassword == in.OldPassword {
		return signedIn{}, apperr.InvalidField("newPassword", "This is your password already.")
	}
	hash, err := s.Hasher.Hash(c, in.NewPassword)
	if err != nil {
		return signedIn{}, err
	}
	user, err := s.Users.SetPassword(c, id.User.ID, id.User.PasswordHash, hash)
	if apperr.Is(err, apperr.NotFound) { // changed in another tab meanwhile
		return signedIn{}, apperr.InvalidField("oldPassword", "This is not your password any more.")
	} else if err != nil {
		return signedIn{}, err
	}
	if err := s.Sessions.RevokeAll(c, user.ID, models.PasswordChanged); err != nil {
		return signedIn{}, err
	}
	if err := s.Events.Add(c, models.EventPassword, id.Session, middlewares.DeviceOf(c)); err != nil {
		return signedIn{}, err
	}
	// What the notice of a theft asks for is done.
	if err := s.Users.DismissTheft(c, user.ID, s.Now()); err != nil {
		return signedIn{}, err
	}
	user.TheftAt = nil
	out, _, err := s.beginSession(c, user, id.Session.Remember)
	return out, err
}

// rehash brings the stored hash to the present cost while the password is known.
func (s Sessions) rehash(c *gin.Context, user *models.User, password string) (*models.User, error) {
	if !s.Hasher.Outdated(user.PasswordHash) {
		return user, nil
	}
	hash, err := s.Hasher.Hash(c, password)
	if err != nil {
		return nil, err
	}
	return s.Users.SetPassword(c, user.ID, user.PasswordHash, hash)
}
