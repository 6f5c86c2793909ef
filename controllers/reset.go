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
	"tokentube/utils/password"
	"tokentube/utils/respond"
)

// PasswordResets let users who forgot their password set a new one through a link sent by email.
type PasswordResets struct{ *App }

// Routes registers the feature. It is open to everyone: users may notice that they forgot their password while they are
// logged in.
func (p PasswordResets) Routes(r middlewares.Access) {
	public := r.Public.NoRenew()
	public.Page(http.MethodGet, "/forgot-password", p.New)
	public.Limit(p.Auth.Limits.Mails).Both(http.MethodPost, "/forgot-password", p.Create)
	public.Page(http.MethodGet, "/reset-password", p.Edit)
	public.Limit(p.Auth.Limits.Mails).Both(http.MethodPost, "/reset-password", p.Update)
}

type forgotten struct {
	Email string `form:"email" json:"email"`
	Off   bool   `form:"-" json:"-"` // no mail can be sent
}

// New is GET /forgot-password: asks for the address.
func (p PasswordResets) New(c *gin.Context) error {
	return respond.Show(c, "resets/new", forgotten{Off: !p.SendsMail()})
}

// Create is POST /forgot-password. It does and returns the same whether or not the address belongs to an account: that
// is only looked up when the mail is sent.
func (p PasswordResets) Create(c *gin.Context) error {
	var in forgotten
	if err := input.Read(c.Request, &in, nil); err != nil {
		return respond.Invalid(c, "resets/new", in, err)
	}
	if !p.SendsMail() {
		return apperr.New(apperr.Unavailable, "This site can't send email. Ask whoever runs it for a new password.")
	}
	address, err := models.NormalEmail(in.Email)
	if err != nil {
		return respond.Invalid(c, "resets/new", in, err)
	}
	if _, err := p.Mails.Add(c, models.Mail{Type: models.MailReset, To: address, By: middlewares.DeviceOf(c)}); err != nil {
		return err
	}
	return respond.Done(c, "If an account has this email address, we’ve sent it a link. It may take a few minutes to arrive.", "/login", nil)
}

type passwordReset struct {
	Token           string `form:"token" json:"token,omitempty"`
	NewPassword     string `form:"newPassword" json:"newPassword,omitempty"`
	ConfirmPassword string `form:"confirmPassword" json:"confirmPassword,omitempty"`

	Username string `form:"-" json:"-"` // for the page, and for password managers
}

// Edit is GET /reset-password: the form that the link leads to. Opening it doesn't use up the link, because mail
// scanners open links too.
func (p PasswordResets) Edit(c *gin.Context) error {
	if c.Query("token") == "" {
		return respond.Redirect(c, "/forgot-password")
	}
	token := c.Query("token")
	user, err := p.owner(c, token)
	if err != nil {
		return respond.Invalid(c, "resets/new", forgotten{Off: !p.SendsMail()}, err)
	}
	return respond.Show(c, "resets/edit", passwordReset{Token: token, Username: user.Username})
}

func (p PasswordResets) owner(c *gin.Context, token string) (*models.User, error) {
	user, _, err := p.openLink(c, models.ResetPassword, token)
	return user, err
}

// openLink returns whose link it is and which mailbox it was sent to. The page's URL contains the token, so neither a
// Referer header nor a cache may leak it.
func (a *App) openLink(c *gin.Context, p models.Purpose, token string) (*models.User, string, error) {
	c.Header("Referrer-Policy", "strict-origin")
	c.Header("Cache-Control", "no-store")
	return a.Links.Look(c, p, token)
}

// Update is POST /reset-password: sets the password and ends every session. It logs nobody in: the login that follows
// asks for whatever else the account requires.
func (p PasswordResets) Update(c *gin.Context) error {
	var in passwordReset
	if err := input.Read(c.Request, &in, nil); err != nil {
		return err
	}
	user, err := p.owner(c, in.Token)
	if err != nil {
		return respond.Invalid(c, "resets/new", forgotten{Off: !p.SendsMail()}, err)
	}
	if err := p.reset(c, user, in); err != nil {
		return respond.Invalid(c, "resets/edit", passwordReset{Token: in.Token, Username: user.Username}, err)
	}
	return respond.Done(c, "Your password is changed. Log in with the new one.", "/login", nil)
}

func (p PasswordResets) reset(c *gin.Context, user *models.User, in passwordReset) error {
	if err := checkNew(user, in.NewPassword, in.ConfirmPassword); err != nil {
		return err
	}
	hash, err := p.Hasher.Hash(c, in.NewPassword, middlewares.Turn(c, user.ID))
	if err != nil {
		return err
	}
	err = p.DB.Atomically(c, func(ctx context.Context) error {
		user, mailbox, err := p.Links.Use(ctx, models.ResetPassword, in.Token)
		if err != nil {
			return err
		}
		// Use the user as loaded when the link was used: another link may have changed the password since then.
		if _, _, err = p.Addresses.Confirm(ctx, user, mailbox, middlewares.DeviceOf(c)); err != nil {
			return err
		}
		return p.replacePassword(ctx, user, hash, models.EventReset, &models.Session{User: user.ID}, middlewares.DeviceOf(c))
	})
	if apperr.Is(err, apperr.NotFound) { // changed at the same moment by another link or in the settings
		return models.ErrLinkOver()
	}
	if err == nil {
		p.tell(c, models.MailPassword, user)
	}
	return err
}

// checkNew checks a new password and its confirmation.
func checkNew(u *models.User, chosen, confirmed string) error {
	fault := newPassword("newPassword", chosen, u.Username, u.Email, u.FullName)
	if !password.Same(chosen, confirmed) {
		fault = apperr.Join(fault, apperr.InvalidField("confirmPassword", "The passwords don't match."))
	}
	return fault
}

// replacePassword replaces the password that the user was loaded with, ends all their sessions, cancels a pending
// change of address and logs the event. Call it within a change.
func (a *App) replacePassword(ctx context.Context, u *models.User, hash string, t models.EventType, by *models.Session, d models.Device) error {
	if _, err := a.Users.SetPassword(ctx, u.ID, u.PasswordHash, hash); err != nil {
		return err
	}
	if _, err := a.Sessions.EndOthers(ctx, u.ID, bson.NilObjectID, models.PasswordChanged); err != nil {
		return err
	}
	if _, err := a.Addresses.Cancel(ctx, u.ID); err != nil {
		return err
	}
	if err := a.Events.Add(ctx, t, by, d); err != nil {
		return err
	}
	// The user has now done what the theft notice asks for.
	return a.Users.DismissTheft(ctx, u.ID, a.Now())
}
