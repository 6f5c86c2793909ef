package controllers

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"tokentube/config"
	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/mail"
	"tokentube/utils/respond"
)

// postOffice sends the emails that models.Mails has queued. Without SMTP_URL, a site in development shows them in a box
// instead, and a site in production sends nothing.
type postOffice struct {
	sender mail.Sender // nil: there is none
	box    *mail.Box   // or nil
}

func (a *App) openPostOffice(cfg config.Config) (err error) {
	switch {
	case cfg.SMTP != nil:
		a.office.sender, err = mail.NewSMTP(cfg.SMTP, cfg.MailFrom)
	case cfg.Env == "development":
		a.office.box = mail.NewBox(a.Log)
		a.office.sender = a.office.box
	}
	return err
}

// SendsMail reports whether the site can send any email.
func (a *App) SendsMail() bool { return a.office.sender != nil }

// SendWith replaces the sender, for tests.
func (a *App) SendWith(s mail.Sender) { a.office.sender = s }

// DeliverMails sends what is queued until ctx ends.
func (a *App) DeliverMails(ctx context.Context) {
	if !a.SendsMail() {
		return
	}
	for {
		if _, err := a.DeliverDue(ctx); err != nil && ctx.Err() == nil {
			a.Log.ErrorContext(ctx, "mails not read", "error", err)
		}
		if a.Mails.Wait(ctx) != nil {
			return
		}
	}
}

// DeliverDue sends what is due now, and returns the number of emails sent.
func (a *App) DeliverDue(ctx context.Context) (int, error) {
	return a.Mails.Send(ctx, a.deliver, func(m *models.Mail, err error) bool {
		again := !errors.Is(err, mail.ErrRefused)
		text := strings.ReplaceAll(err.Error(), m.To, "the address") // servers quote it
		a.Log.WarnContext(ctx, "mail not sent", "type", m.Type, "tries", m.Tries, "again", again, "error", text)
		return again
	})
}

// letter is the data for the templates of emails.
type letter struct {
	Place
	Username, Site, Link string
	About                string
	Valid                string // how long the link is
	Former               bool   // the email goes to a former address of the account
}

// deliver sends an email. Its content is read now: the account's data, and the link, of which only a hash is stored.
func (a *App) deliver(ctx context.Context, m *models.Mail) error {
	about := letter{Place: newPlace(m.By.UserAgent, ""), Username: m.Username, Site: a.Config.BaseURL, About: m.About}
	texts := []string{string(m.Type)}
	err := a.addLink(ctx, m, &about)
	switch {
	case err == nil && !m.Type.Asked():
		texts = append(texts, "not_me")
	case apperr.Is(err, apperr.NotFound) && m.Type.Asked():
		return nil // no account has the address (any longer); the requester isn't told
	case err != nil && !apperr.Is(err, apperr.NotFound):
		return err
	}
	message, err := a.Letters.Write(about, texts...)
	if err != nil {
		return err
	}
	message.ID, message.To, message.QueuedAt = m.ID.Hex()+"@"+a.Config.MailDomain(), m.To, m.CreatedAt
	err = a.office.sender.Send(ctx, message)
	a.countMail(err)
	return err
}

// addLink makes the link for an email. If no account may use it, the result is not found.
func (a *App) addLink(ctx context.Context, m *models.Mail, about *letter) error {
	user, err := a.reader(ctx, m)
	if err != nil {
		return err
	}
	purpose, page := models.NotMe, "/not-me"
	switch m.Type {
	case models.MailReset:
		purpose, page = models.ResetPassword, "/reset-password"
	case models.MailConfirm:
		purpose, page = models.ConfirmEmail, "/confirm-email"
	}
	secret, err := a.Links.Make(ctx, user, purpose, m.To)
	if err != nil {
		return err
	}
	about.Username, about.Valid, about.Former = user.Username, purpose.Valid(), m.To != user.Address()
	about.Link = a.Config.BaseURL + page + "?token=" + secret
	return nil
}

// reader is the account that an email is about.
func (a *App) reader(ctx context.Context, m *models.Mail) (user *models.User, err error) {
	if m.User.IsZero() {
		user, err = a.Users.ByLogin(ctx, m.To)
	} else {
		user, err = a.Users.ByID(ctx, m.User)
	}
	if err == nil && user.DisabledAt != nil {
		err = store.ErrNotFound()
	}
	return user, err
}

// tell queues a notice about a change to an account, to u as they were before it. The change stands even if the notice
// can't be queued. Every notice ends with the link "This wasn't me".
func (a *App) tell(c *gin.Context, t models.MailType, u *models.User) {
	a.tellAbout(c, t, u, middlewares.DeviceOf(c), "")
}

// tellAbout is tell for something that a device did, with details. Whoever made the change can't suppress the notice by
// disconnecting at the right moment.
func (a *App) tellAbout(c *gin.Context, t models.MailType, u *models.User, by models.Device, about string) {
	if !a.SendsMail() || u.Address() == "" {
		return
	}
	if _, err := a.Mails.Add(context.WithoutCancel(c), models.Mail{Type: t, To: u.Email, User: u.ID, Username: u.Username, By: by, About: about}); err != nil {
		a.Log.WarnContext(c, "mail not queued", "type", t, "error", err)
	}
}

// askToConfirm queues an email with a link that confirms the address. It reports whether there were too many.
func (a *App) askToConfirm(c *gin.Context, u *models.User, address string) (queued bool, err error) {
	return a.Mails.Add(context.WithoutCancel(c), models.Mail{Type: models.MailConfirm, To: address, User: u.ID, Username: u.Username, By: middlewares.DeviceOf(c)})
}

// MailBox is the page of a site in development that shows the emails that would be sent.
type MailBox struct{ *App }

// Routes registers the page, where there is a box.
func (m MailBox) Routes(r middlewares.Access) {
	if m.office.box != nil {
		r.Public.Page(http.MethodGet, "/dev/mail", m.Index)
	}
}

// Index is GET /dev/mail. It responds only to this machine, because the emails open accounts.
func (m MailBox) Index(c *gin.Context) error {
	if !middlewares.Here(c.Request) {
		return apperr.New(apperr.NotFound, "There's no page at this address.")
	}
	return respond.Show(c, "mail/index", m.office.box.Latest())
}
