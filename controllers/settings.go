package controllers

import (
	"context"
	"io"
	"net/http"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// Settings are the actions by which users change their own account.
type Settings struct{ *App }

// Routes registers the feature. What needs the password is Sensitive.
func (s Settings) Routes(r middlewares.Access) {
	r.Private.Page(http.MethodGet, "/settings", func(c *gin.Context) error { return respond.Redirect(c, "/settings/profile") })
	r.Private.Page(http.MethodGet, "/settings/profile", s.EditProfile)
	r.Private.Page(http.MethodGet, "/settings/account", s.EditAccount)
	r.Private.Page(http.MethodGet, "/settings/password", s.EditPassword)
	r.Private.Page(http.MethodGet, "/settings/delete", s.ConfirmDelete)

	r.Private.Page(http.MethodPatch, "/settings/profile", s.UpdateProfile)
	r.Private.API(http.MethodPatch, "/users/update-user-fullname", s.UpdateProfile)
	r.Private.API(http.MethodPatch, "/users/update-user-bio", s.UpdateProfile)
	r.Private.Page(http.MethodPatch, "/settings/username", s.UpdateUsername)
	r.Private.API(http.MethodPatch, "/users/update-user-username", s.UpdateUsername)
	r.Sensitive.Page(http.MethodPatch, "/settings/email", s.UpdateEmail)
	r.Sensitive.API(http.MethodPatch, "/users/update-user-email", s.UpdateEmail)
	r.Sensitive.Page(http.MethodPatch, "/settings/password", s.UpdatePassword)
	r.Sensitive.API(http.MethodPatch, "/users/update-user-password", s.UpdatePassword)
	r.Sensitive.Page(http.MethodDelete, "/settings/account", s.Delete)
	r.Sensitive.API(http.MethodDelete, "/users/me", s.Delete)

	upload := r.Private.Upload(s.Config.MaxImageBytes)
	upload.Page(http.MethodPatch, "/settings/avatar", s.UpdateAvatar)
	upload.API(http.MethodPatch, "/users/update-user-avatar", s.UpdateAvatar)
	upload.Page(http.MethodPatch, "/settings/cover", s.UpdateCover)
	upload.API(http.MethodPatch, "/users/update-user-coverImage", s.UpdateCover)
}

type profilePage struct {
	FullName   string  `json:"fullName"`
	Bio        string  `json:"bio"`
	Avatar     Address `json:"avatar"`
	CoverImage Address `json:"coverImage"`
}

type profile struct {
	FullName *string `form:"fullName" json:"fullName"`
	Bio      *string `form:"bio" json:"bio"`
}

func (s Settings) profilePage(c *gin.Context, in profile) profilePage {
	u := middlewares.Current(c).User
	page := profilePage{u.FullName, u.Bio, s.file(u.Avatar), s.file(u.CoverImage)}
	if in.FullName != nil {
		page.FullName = *in.FullName
	}
	if in.Bio != nil {
		page.Bio = *in.Bio
	}
	return page
}

// EditProfile is GET /settings/profile.
func (s Settings) EditProfile(c *gin.Context) error {
	return respond.Show(c, "settings/profile", s.profilePage(c, profile{}))
}

// UpdateProfile is PATCH /settings/profile, and /users/update-user-fullname and
// -bio: changes the name, the bio, or both.
func (s Settings) UpdateProfile(c *gin.Context) error {
	var in profile
	err := input.Read(c.Request, &in, nil)
	if err == nil && in.FullName == nil && in.Bio == nil {
		err = apperr.InvalidField("fullName", "Send a fullName or a bio.")
	}
	if err == nil {
		err = s.update(c, models.UserChanges{FullName: in.FullName, Bio: in.Bio}, "Your profile is saved.", "/settings/profile")
	}
	return respond.Invalid(c, "settings/profile", s.profilePage(c, in), err)
}

type account struct {
	Username string `form:"username" json:"username"`
	Email    string `form:"email" json:"email"`
	Password string `form:"password" json:"password,omitempty"`
}

func accountOf(c *gin.Context) account {
	u := middlewares.Current(c).User
	return account{Username: u.Username, Email: u.Email}
}

// EditAccount is GET /settings/account.
func (s Settings) EditAccount(c *gin.Context) error {
	return respond.Show(c, "settings/account", accountOf(c))
}

// UpdateUsername is PATCH /settings/username and /users/update-user-username.
func (s Settings) UpdateUsername(c *gin.Context) error {
	var in account
	err := input.Read(c.Request, &in, nil)
	if err == nil {
		err = s.update(c, models.UserChanges{Username: &in.Username}, "Your username is changed.", "/settings/account")
	}
	in.Email = accountOf(c).Email
	return respond.Invalid(c, "settings/account", in, err)
}

// UpdateEmail is PATCH /settings/email and /users/update-user-email. It needs
// the password: whoever has the address can one day ask for a new password.
func (s Settings) UpdateEmail(c *gin.Context) error {
	var in account
	err := input.Read(c.Request, &in, nil)
	if err == nil {
		err = s.checkPassword(c, "password", in.Password)
	}
	if err == nil {
		err = s.update(c, models.UserChanges{Email: &in.Email}, "Your e-mail address is changed.", "/settings/account")
	}
	in.Username = accountOf(c).Username
	return respond.Invalid(c, "settings/account", in, err)
}

// update changes the user and makes a fresh access token, so that its claims are
// true at once.
func (s Settings) update(c *gin.Context, changes models.UserChanges, message, path string) error {
	id := middlewares.Current(c)
	user, err := s.Users.Update(c, id.User.ID, changes)
	if err != nil {
		return err
	}
	if changes.Email != nil && user.Email != id.User.Email {
		if err := s.Events.Add(c, models.EventEmail, id.Session, middlewares.DeviceOf(c)); err != nil {
			return err
		}
	}
	if !id.ByHeader {
		if err := s.Auth.IssueAccess(c, user, id.Session); err != nil {
			return err
		}
	}
	return respond.Done(c, message, path, s.user(user, true))
}

// checkPassword makes sure that it is still the owner who sits there.
func (s Settings) checkPassword(c *gin.Context, field, password string) error {
	user := middlewares.Current(c).User
	// Counted like a login: whoever stole a session must not guess here instead.
	attempt, err := s.Auth.Attempt(c, user.Username, user.ID)
	if err != nil {
		return err
	}
	ok, err := s.Hasher.Matches(c, user.PasswordHash, password)
	if err == nil && !ok {
		return apperr.InvalidField(field, "This is not your password.")
	}
	attempt.GiveBack(c)
	return err
}

// UpdateAvatar is PATCH /settings/avatar and /users/update-user-avatar.
func (s Settings) UpdateAvatar(c *gin.Context) error {
	return s.updatePicture(c, models.Avatar, s.Media.SaveAvatar, "Your picture is changed.")
}

// UpdateCover is PATCH /settings/cover and /users/update-user-coverImage.
func (s Settings) UpdateCover(c *gin.Context) error {
	return s.updatePicture(c, models.CoverImage, s.Media.SaveCover, "Your banner is changed.")
}

func (s Settings) updatePicture(c *gin.Context, p models.Picture, save func(context.Context, io.Reader) (string, error), message string) error {
	var name string
	files := uploads{db: s.DB}
	defer files.discard(c)
	err := input.Read(c.Request, &struct{}{}, input.Files{string(p): files.picture(c, &name, save)})
	if err == nil && name == "" {
		err = apperr.InvalidField(string(p), "Choose a picture.")
	}
	if err != nil {
		return respond.Invalid(c, "settings/profile", s.profilePage(c, profile{}), err)
	}
	user, replaced, err := s.Users.SetPicture(c, middlewares.UserID(c), p, name)
	if err != nil {
		return err
	}
	files.keep()
	files.add(replaced) // goes instead, when this returns
	return respond.Done(c, message, "/settings/profile", s.user(user, true))
}

type deletion struct {
	Password string `form:"password" json:"password,omitempty"`
}

// ConfirmDelete is GET /settings/delete.
func (s Settings) ConfirmDelete(c *gin.Context) error {
	return respond.Show(c, "settings/delete", deletion{})
}

// Delete is DELETE /settings/account and /users/me: the account is gone at once,
// and all that hung on it soon after.
func (s Settings) Delete(c *gin.Context) error {
	var in deletion
	err := input.Read(c.Request, &in, nil)
	if err == nil {
		err = s.checkPassword(c, "password", in.Password)
	}
	if err != nil {
		return respond.Invalid(c, "settings/delete", deletion{}, err)
	}
	if err := s.Users.Delete(c, middlewares.UserID(c)); err != nil {
		return err
	}
	s.forget(c)
	return respond.Done(c, "Your account is deleted.", "/", nil)
}
