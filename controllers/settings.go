package controllers

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/media"
	"tokentube/utils/respond"
)

// Settings let users change their own account.
type Settings struct{ *App }

// Routes registers the feature. Actions that require the password are Sensitive.
func (s Settings) Routes(r middlewares.Access) {
	r.Private.Page(http.MethodGet, "/settings", func(c *gin.Context) error { return respond.Redirect(c, "/settings/profile") })
	r.Private.Page(http.MethodGet, "/settings/profile", s.EditProfile)
	r.Private.Page(http.MethodGet, "/settings/account", s.EditAccount)
	r.Private.Page(http.MethodGet, "/settings/password", s.EditPassword)
	r.Private.Page(http.MethodGet, "/settings/delete", s.ConfirmDelete)

	r.Private.Both(http.MethodPatch, "/settings/profile", s.UpdateProfile)
	r.Sensitive.At("/settings/account").Both(http.MethodPatch, "/settings/username", s.UpdateUsername)
	r.Sensitive.At("/settings/account").Both(http.MethodPatch, "/settings/email", s.UpdateEmail)
	r.Sensitive.Both(http.MethodPatch, "/settings/password", s.UpdatePassword)
	r.Sensitive.Both(http.MethodDelete, "/settings/account", s.Delete)

	upload := r.Private.At("/settings/profile").Upload(s.Config.MaxImageBytes)
	upload.Both(http.MethodPatch, "/settings/avatar", s.UpdateAvatar)
	upload.Both(http.MethodPatch, "/settings/cover", s.UpdateCover)
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

// UpdateProfile is PATCH /settings/profile: changes the name, the bio, or both.
func (s Settings) UpdateProfile(c *gin.Context) error {
	var in profile
	err := input.Read(c.Request, &in, nil)
	if err == nil && in.FullName == nil && in.Bio == nil {
		err = apperr.InvalidField("fullName", "Enter your name or a bio.")
	}
	if err != nil {
		return respond.Invalid(c, "settings/profile", s.profilePage(c, in), err)
	}
	user, err := s.update(c, models.UserChanges{FullName: in.FullName, Bio: in.Bio})
	if err != nil {
		return respond.Invalid(c, "settings/profile", s.profilePage(c, in), err)
	}
	return respond.Done(c, "Profile saved.", "/settings/profile", user)
}

type account struct {
	Username string `form:"username" json:"username"`
	Email    string `form:"email" json:"email"`
	Password string `form:"password" json:"password,omitempty"`

	// Needed to change the username; separate because the page has both forms.
	CurrentPassword string `form:"currentPassword" json:"currentPassword,omitempty"`

	// Only for the page.
	Space       *spaceUsed `form:"-" json:"-"`
	Unconfirmed string     `form:"-" json:"-"` // the address that a link was sent to
	NewEmail    bool       `form:"-" json:"-"` // Unconfirmed is a new address, not the current one
	SendsMail   bool       `form:"-" json:"-"`
}

// EmailHint explains when a new address takes effect.
func (a account) EmailHint() string {
	if !a.SendsMail {
		return ""
	}
	return "We’ll send a link to a new address. It counts once you open the link."
}

func (s Settings) accountOf(c *gin.Context) account {
	u := middlewares.Current(c).User
	out := account{Username: u.Username, Email: u.Address(), Space: s.spaceUsed(c), SendsMail: s.SendsMail()}
	if u.UnconfirmedSince != nil && out.SendsMail {
		out.Unconfirmed = u.Email
	}
	if u.NewEmail != "" {
		out.Unconfirmed, out.NewEmail = u.NewEmail, true
	}
	return out
}

// EditAccount is GET /settings/account.
func (s Settings) EditAccount(c *gin.Context) error {
	return respond.Show(c, "settings/account", s.accountOf(c))
}

// UpdateUsername is PATCH /settings/username. It requires the password: the owner logs in with the username, so anyone
// who changes it locks them out.
func (s Settings) UpdateUsername(c *gin.Context) error {
	in := s.accountOf(c)
	email := in.Email
	err := input.Read(c.Request, &in, nil)
	in.Email = email
	if err != nil {
		return respond.Invalid(c, "settings/account", in, err)
	}
	changed := *middlewares.Current(c).User
	changed.Username = in.Username
	if err := apperr.Join(changed.Check(), s.checkPassword(c, "currentPassword", in.CurrentPassword)); err != nil {
		return respond.Invalid(c, "settings/account", in, err)
	}
	user, err := s.update(c, models.UserChanges{Username: &in.Username})
	if err != nil {
		return respond.Invalid(c, "settings/account", in, err)
	}
	return respond.Done(c, "Username changed.", "/settings/account", user)
}

// UpdateEmail is PATCH /settings/email. It requires the password: whoever controls the address can reset the password.
// If the site can send mail, the new address takes effect only once the link sent to it is used.
func (s Settings) UpdateEmail(c *gin.Context) error {
	in := s.accountOf(c)
	username := in.Username
	in.Email = ""
	err := input.Read(c.Request, &in, nil)
	in.Username = username
	if err != nil {
		return respond.Invalid(c, "settings/account", in, err)
	}
	changed := *middlewares.Current(c).User
	changed.Email, changed.EmailLostAt = in.Email, nil
	if err := apperr.Join(changed.Check(), s.checkPassword(c, "password", in.Password)); err != nil {
		return respond.Invalid(c, "settings/account", in, err)
	}
	message, user, err := s.changeEmail(c, in.Email)
	if err != nil {
		return respond.Invalid(c, "settings/account", in, err)
	}
	return respond.Done(c, message, "/settings/account", user)
}

func (s Settings) changeEmail(c *gin.Context, address string) (message string, out User, err error) {
	if !s.SendsMail() {
		out, err = s.update(c, models.UserChanges{Email: &address})
		return "Email address changed.", out, err
	}
	id := middlewares.Current(c)
	user, err := s.Addresses.Ask(c, id.User, address, id.Session, middlewares.DeviceOf(c))
	if apperr.Is(err, apperr.NotFound) { // changed concurrently, for example in another tab
		err = apperr.New(apperr.Conflict, "Your account was just changed. Load the page again.").Because(err)
	}
	if err != nil {
		return "", User{}, err
	}
	if user.NewEmail == "" {
		return "Your email address stays as it is.", s.user(user, true), nil
	}
	if _, err := s.askToConfirm(c, user, user.NewEmail); err != nil {
		return "", User{}, err
	}
	return "We’ve sent a link to " + user.NewEmail + ". Open it to change your address.", s.user(user, true), nil
}

// update changes the user and issues a new access token, so that its claims are up to date immediately.
func (s Settings) update(c *gin.Context, changes models.UserChanges) (out User, err error) {
	id := middlewares.Current(c)
	var user *models.User
	err = s.DB.Atomically(c, func(ctx context.Context) error {
		if user, err = s.Users.Update(ctx, id.User.ID, changes); err != nil {
			return err
		}
		if changes.Email == nil || user.Email == id.User.Email {
			return nil
		}
		return s.Events.Add(ctx, models.EventEmail, id.Session, middlewares.DeviceOf(c))
	})
	if err != nil {
		return User{}, err
	}
	if !id.ByHeader {
		if err := s.Auth.IssueAccess(c, user, id.Session); err != nil {
			return User{}, err
		}
	}
	return s.user(user, true), nil
}

// UpdateAvatar is PATCH /settings/avatar.
func (s Settings) UpdateAvatar(c *gin.Context) error {
	return s.updatePicture(c, models.Avatar, s.Media.SaveAvatar, "Profile picture changed.")
}

// UpdateCover is PATCH /settings/cover.
func (s Settings) UpdateCover(c *gin.Context) error {
	return s.updatePicture(c, models.CoverImage, s.Media.SaveCover, "Banner changed.")
}

func (s Settings) updatePicture(c *gin.Context, p models.Picture, save func(context.Context, *media.Picture) (string, error), message string) error {
	var sent *media.Picture
	files := uploads{db: s.DB}
	defer files.discard(c)
	err := s.read(c, &struct{}{}, input.Files{string(p): s.receive(c, string(p), &sent)}, &files)
	if err == nil && sent == nil {
		err = apperr.InvalidField(string(p), "Choose a picture.")
	}
	if err != nil {
		return respond.Invalid(c, "settings/profile", s.profilePage(c, profile{}), err)
	}
	name, err := files.picture(c, sent, save)
	if err != nil {
		return respond.Invalid(c, "settings/profile", s.profilePage(c, profile{}), err)
	}
	user, replaced, err := s.Users.SetPicture(c, middlewares.UserID(c), p, name)
	files.settle(err)
	if err != nil {
		return err
	}
	files.add(replaced) // the replaced picture; the deferred discard deletes it
	return respond.Done(c, message, "/settings/profile", s.user(user, true))
}

type deletion struct {
	Password string `form:"password" json:"password,omitempty"`
}

// ConfirmDelete is GET /settings/delete.
func (s Settings) ConfirmDelete(c *gin.Context) error {
	return respond.Show(c, "settings/delete", deletion{})
}

// Delete is DELETE /settings/account: the account is deleted immediately, everything that belongs to it soon after.
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
	return respond.Done(c, "Your account was deleted.", "/", nil)
}
