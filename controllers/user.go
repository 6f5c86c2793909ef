package controllers

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/password"
	"tokentube/utils/picture"
	"tokentube/utils/respond"
)

// Users are the actions on accounts: register, and who am I.
type Users struct{ *App }

// Routes registers the feature.
func (u Users) Routes(r middlewares.Access) {
	r.Guest.NoRenew().Page(http.MethodGet, "/register", u.New)
	register := r.Guest.Upload(2 * u.Config.MaxImageBytes).Limit(u.Auth.Limits.Registers)
	register.Page(http.MethodPost, "/register", u.Create)
	register.API(http.MethodPost, "/users/register", u.Create)
	r.Private.API(http.MethodGet, "/users/get-current-user", u.Current)
}

type registration struct {
	Username string `form:"username" json:"username"`
	Email    string `form:"email" json:"email"`
	FullName string `form:"fullName" json:"fullName"`
	Password string `form:"password" json:"password,omitempty"`
}

// New is GET /register: the form.
func (u Users) New(c *gin.Context) error { return respond.Show(c, "users/new", registration{}) }

// Create is POST /register and /users/register: makes the account, and logs in
// to it.
func (u Users) Create(c *gin.Context) error {
	var in registration
	var user models.User
	files := uploads{db: u.DB}
	defer files.discard(c)
	err := input.Read(c.Request, &in, input.Files{
		"avatar":     files.picture(c, &user.Avatar, u.Media.SaveAvatar),
		"coverImage": files.picture(c, &user.CoverImage, u.Media.SaveCover),
	})
	if err == nil {
		err = u.checkCookies(c)
	}
	if err == nil {
		err = u.register(c, in, &user, &files)
	}
	if err != nil {
		return respond.Invalid(c, "users/new", in, err)
	}
	files.keep()
	if _, _, err := u.beginSession(c, &user, false); err != nil {
		return err
	}
	return respond.Created(c, "Welcome to Tokentube!", "/", "/api/v1/users/channel/"+user.Username, u.user(&user, true))
}

// register checks everything that costs nothing before it hashes the password.
func (u Users) register(c *gin.Context, in registration, user *models.User, files *uploads) error {
	user.Username, user.Email, user.FullName = in.Username, in.Email, in.FullName
	if err := u.Users.Check(c, user); err != nil {
		return withPassword(err, in)
	}
	if fault := password.Check(in.Password, in.Username, in.Email, in.FullName); fault != "" {
		return apperr.InvalidField("password", "%s", fault)
	}
	hash, err := u.Hasher.Hash(c, in.Password)
	if err != nil {
		return err
	}
	user.PasswordHash = hash
	if user.Avatar == "" {
		if user.Avatar, err = u.Media.SaveDrawing(c, picture.Initials(user.FullName)); err != nil {
			return err
		}
		files.add(user.Avatar)
	}
	return u.Users.Create(c, user)
}

// withPassword adds what is wrong with the password to what is wrong with the
// rest, so that a person is told everything at once.
func withPassword(err error, in registration) error {
	fault := password.Check(in.Password, in.Username, in.Email, in.FullName)
	if e := apperr.From(err); fault != "" && e.Code == apperr.Invalid {
		e.Fields = append(e.Fields, apperr.Field{Name: "password", Message: fault})
	}
	return err
}

// Current is GET /users/get-current-user.
func (u Users) Current(c *gin.Context) error {
	return respond.Show(c, "", u.user(middlewares.Current(c).User, true))
}
