package controllers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/config"
	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/mail"
	"tokentube/utils/respond"
)

// postOffice sends the mails that models.Mails has queued. Without SMTP_URL a site in development has a box instead,
// and a site in production sends nothing.
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

// SendsMail tells whether the site can send any mail.
func (a *App) SendsMail() bool { return a.office.sender != nil }

// SendWith has mails sent by another sender: for tests.
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

// DeliverDue sends what is due now, and returns how many mails that were.
func (a *App) DeliverDue(ctx context.Context) (int, error) {
	return a.Mails.Send(ctx, a.deliver, func(m *models.Mail, err error) bool {
		again := !errors.Is(err, mail.ErrRefused)
		text := strings.ReplaceAll(err.Error(), m.To, "the address") // servers quote it
		a.Log.WarnContext(ctx, "mail not sent", "type", m.Type, "tries", m.Tries, "again", again, "error", text)
		return again
	})
}

// letter is what the texts of mails may name.
type letter struct {
	Place
	Username, Site, Link string
	About                string
	Minutes              int
}

// deliver sends a mail. What it tells is read now: who the account is, and the link, of which only a hash is kept.
func (a *App) deliver(ctx context.Context, m *models.Mail) error {
	about := letter{Place: newPlace(m.By.UserAgent, ""), Username: m.Username, Site: a.Config.BaseURL, About: m.About}
	if m.Type == models.MailReset {
		user, err := a.Users.ByLogin(ctx, m.To)
		if apperr.Is(err, apperr.NotFound) || err == nil && user.DisabledAt != nil {
			return nil // nobody has the address; whoever asked is not told
		}
		if err != nil {
			return err
		}
		secret, err := a.Links.Make(ctx, user, models.ResetPassword, models.ResetTime)
		if err != nil {
			return err
		}
		about.Username, about.Minutes = user.Username, int(models.ResetTime/time.Minute)
		about.Link = a.Config.BaseURL + "/reset-password?token=" + secret
	}
	message, err := a.Letters.Write(string(m.Type), about)
	if err != nil {
		return err
	}
	message.ID, message.To, message.QueuedAt = m.ID.Hex()+"@"+a.Config.MailDomain(), m.To, m.CreatedAt
	err = a.office.sender.Send(ctx, message)
	a.countMail(err)
	return err
}

// tell queues a mail to u, as they were, that tells about a change of an account. That it was changed is done whether or not it can be told.
func (a *App) tell(c *gin.Context, t models.MailType, u *models.User) {
	a.tellAbout(c, t, u, middlewares.DeviceOf(c), "")
}

// tellAbout is tell of what a device did, with what the change was about.
func (a *App) tellAbout(c *gin.Context, t models.MailType, u *models.User, by models.Device, about string) {
	if !a.SendsMail() {
		return
	}
	if err := a.Mails.Add(c, models.Mail{Type: t, To: u.Email, Username: u.Username, By: by, About: about}); err != nil {
		a.Log.WarnContext(c, "mail not queued", "type", t, "error", err)
	}
}

// MailBox is the page of a site in development that shows the mails that it would send.
type MailBox struct{ *App }

// Routes registers the page, where there is a box.
func (m MailBox) Routes(r middlewares.Access) {
	if m.office.box != nil {
		r.Public.Page(http.MethodGet, "/dev/mail", m.Index)
	}
}

// Index is GET /dev/mail. It answers only to this machine itself: the mails open accounts.
func (m MailBox) Index(c *gin.Context) error {
	if !middlewares.Here(c.Request) {
		return apperr.New(apperr.NotFound, "There's no page at this address.")
	}
	return respond.Show(c, "mail/index", m.office.box.Latest())
}
