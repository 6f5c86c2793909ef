package controllers

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// EmailAddresses let users prove that an email address is theirs.
type EmailAddresses struct{ *App }

// Routes registers the feature. The link in an email may be opened in any browser, even one that isn't logged in.
func (e EmailAddresses) Routes(r middlewares.Access) {
	public := r.Public.NoRenew()
	public.Page(http.MethodGet, "/confirm-email", e.Edit)
	public.Limit(e.Auth.Limits.Mails).Both(http.MethodPost, "/confirm-email", e.Confirm)

	settings := r.Sensitive.At("/settings/account")
	settings.Both(http.MethodDelete, "/settings/email/new", e.Cancel)
	settings.Limit(e.Auth.Limits.Mails).Both(http.MethodPost, "/settings/email/link", e.SendAgain)
}

type provenAddress struct {
	Token string `form:"token" json:"token,omitempty"`

	Username string `form:"-" json:"-"` // for the page
	Email    string `form:"-" json:"-"`
	New      bool   `form:"-" json:"-"` // the account still has another address
}

// Edit is GET /confirm-email: the page that the link leads to. Only its button confirms, because mail scanners open
// links too.
func (e EmailAddresses) Edit(c *gin.Context) error {
	token := c.Query("token")
	if token == "" {
		return respond.Redirect(c, e.home(c))
	}
	user, address, err := e.openLink(c, models.ConfirmEmail, token)
	if err != nil {
		return respond.Invalid(c, "addresses/confirm", provenAddress{}, err)
	}
	return respond.Show(c, "addresses/confirm", provenAddress{Token: token, Username: user.Username, Email: address, New: address != user.Email})
}

// Confirm is POST /confirm-email. It logs nobody in.
func (e EmailAddresses) Confirm(c *gin.Context) error {
	var in provenAddress
	if err := input.Read(c.Request, &in, nil); err != nil {
		return err
	}
	c.Header("Referrer-Policy", "strict-origin")
	var before, after *models.User
	var changed bool
	err := e.DB.Atomically(c, func(ctx context.Context) (err error) {
		var address string
		if before, address, err = e.Links.Use(ctx, models.ConfirmEmail, in.Token); err != nil {
			return err
		}
		after, changed, err = e.Addresses.Confirm(ctx, before, address, middlewares.DeviceOf(c))
		return err
	})
	if apperr.Is(err, apperr.NotFound) { // changed at the same moment
		err = models.ErrLinkOver()
	}
	if err != nil {
		return respond.Invalid(c, "addresses/confirm", provenAddress{}, err)
	}
	if changed && before.UnconfirmedSince == nil {
		e.tell(c, models.MailEmail, before)
	}
	if id := middlewares.Current(c); id.User != nil && id.User.ID == after.ID && !id.ByHeader {
		if err := e.Auth.IssueAccess(c, after, id.Session); err != nil { // so that its claims are up to date immediately
			return err
		}
	}
	return respond.Done(c, after.Email+" is confirmed.", e.home(c), nil)
}

// home is where a visitor, logged in or not, continues.
func (e EmailAddresses) home(c *gin.Context) string {
	if middlewares.UserID(c).IsZero() {
		return "/login"
	}
	return "/settings/account"
}

// Cancel is DELETE /settings/email/new: cancels a change of address and invalidates its links.
func (e EmailAddresses) Cancel(c *gin.Context) error {
	user, err := e.Addresses.Cancel(c, middlewares.UserID(c))
	if err != nil {
		return err
	}
	return respond.Done(c, "Your email address stays as it is.", "/settings/account", e.user(user, true))
}

// SendAgain is POST /settings/email/link: sends the link to the unconfirmed address again.
func (e EmailAddresses) SendAgain(c *gin.Context) error {
	user := middlewares.Current(c).User
	address := user.NewEmail
	if address == "" && user.UnconfirmedSince != nil {
		address = user.Email
	}
	if address == "" {
		return apperr.New(apperr.Conflict, "Your email address is confirmed already.")
	}
	if !e.SendsMail() {
		return errNoMail()
	}
	queued, err := e.askToConfirm(c, user, address)
	if err == nil && !queued {
		err = apperr.New(apperr.RateLimited, "We’ve sent several emails to this address within an hour. Wait a while, then try again.")
	}
	if err != nil {
		return err
	}
	return respond.Done(c, "We’ve sent the link to "+address+". It may take a few minutes to arrive.", "/settings/account", nil)
}

func errNoMail() *apperr.Error {
	return apperr.New(apperr.Unavailable, "This site can’t send email.")
}
