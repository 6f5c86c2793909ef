package controllers

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/media"
	"tokentube/utils/password"
	"tokentube/utils/picture"
	"tokentube/utils/respond"
)

// UserActions are the actions on accounts: registering, and reading one's own account.
type UserActions struct{ *App }

// Routes registers the feature.
func (u UserActions) Routes(r middlewares.Access) {
	r.Guest.NoRenew().Page(http.MethodGet, "/register", u.New)
	r.Guest.Upload(2*u.Config.MaxImageBytes).Limit(u.Auth.Limits.Registers).Both(http.MethodPost, "/register", u.Create)
	r.Private.API(http.MethodGet, "/me", u.Current)
}

type registration struct {
	Username string `form:"username" json:"username"`
	Email    string `form:"email" json:"email"`
	FullName string `form:"fullName" json:"fullName"`
	Password string `form:"password" json:"password,omitempty"`
	Next     string `form:"next" json:"next"`
	door
}

// New is GET /register: the form.
func (u UserActions) New(c *gin.Context) error {
	return respond.Show(c, "users/new", registration{Next: safeNext(c.Query("next")), door: u.openDoor(c)})
}

// Create is POST /register: creates the account and logs in.
func (u UserActions) Create(c *gin.Context) error {
	var in registration
	var user models.User
	var avatar, cover *media.Picture
	files := uploads{db: u.DB}
	defer files.discard(c)
	err := u.read(c, &in, input.Files{
		"avatar":     u.receive(c, "avatar", &avatar),
		"coverImage": u.receive(c, "coverImage", &cover),
	}, &files)
	if !apperr.OfFields(err) {
		return respond.Invalid(c, "users/new", in, err)
	}
	session, err := u.register(c, in, &user, registrationPictures{avatar, cover, err}, &files)
	if err != nil {
		return respond.Invalid(c, "users/new", in, err)
	}
	message := "Welcome to Tokentube!"
	if user.UnconfirmedSince != nil { // queued first: the account exists even if the rest of this request fails
		message += " We’ve sent a link to " + user.Email + " to confirm that it’s yours."
		if _, err := u.askToConfirm(c, &user, user.Email); err != nil {
			u.Log.WarnContext(c, "mail not queued", "type", models.MailConfirm, "error", err)
		}
	}
	if _, err := u.signIn(c, &user, session); err != nil {
		return err
	}
	return respond.Created(c, message, afterSignUp(in.Next), "/api/v1/users/channel/"+user.Username, u.user(&user, true))
}

// registrationPictures are the pictures of a new account; nil where none was sent or accepted.
type registrationPictures struct {
	avatar, cover *media.Picture
	faults        error
}

// register does all cheap checks before it hashes the password. The account and its first session are created together,
// or not at all.
func (u UserActions) register(c *gin.Context, in registration, user *models.User, sent registrationPictures, files *uploads) (session *models.Session, err error) {
	if err := u.checkCookies(c, in.door); err != nil {
		return nil, err
	}
	user.Username, user.Email, user.FullName = in.Username, in.Email, in.FullName
	if now := u.Now(); u.SendsMail() {
		user.UnconfirmedSince = &now
	}
	if err := apperr.Join(u.Users.Check(c, user), newPassword("password", in.Password, in.Username, in.Email, in.FullName), sent.faults); err != nil {
		return nil, u.withPictures(c, err, sent.avatar, sent.cover)
	}
	if err := u.pictures(c, user, sent, files); err != nil {
		return nil, err
	}
	if user.PasswordHash, err = u.Hasher.Hash(c, in.Password, middlewares.Turn(c, bson.NilObjectID)); err != nil {
		return nil, err
	}
	err = u.DB.Atomically(c, func(ctx context.Context) error {
		if err := u.Addresses.Register(ctx, user); err != nil {
			return err
		}
		session, err = u.beginSession(ctx, c, user, false)
		return err
	})
	files.settle(err)
	return session, err
}

// pictures stores the pictures of a new account; without a profile picture, it draws the user's initials.
func (u UserActions) pictures(c *gin.Context, user *models.User, sent registrationPictures, files *uploads) (err error) {
	if user.Avatar, err = files.picture(c, sent.avatar, u.Media.SaveAvatar); err != nil {
		return u.withPictures(c, err, sent.cover)
	}
	if user.CoverImage, err = files.picture(c, sent.cover, u.Media.SaveCover); err != nil || user.Avatar != "" {
		return err
	}
	if user.Avatar, err = u.Media.SaveInitials(c, picture.Initials(user.FullName)); err != nil {
		return err
	}
	files.add(user.Avatar)
	return nil
}

// newPassword checks a newly chosen password.
func newPassword(field, chosen string, names ...string) error {
	if fault := password.Check(chosen, names...); fault != "" {
		return apperr.InvalidField(field, "%s", fault)
	}
	return nil
}

// Current is GET /me of the API.
func (u UserActions) Current(c *gin.Context) error {
	return respond.Show(c, "", u.user(middlewares.Current(c).User, true))
}
