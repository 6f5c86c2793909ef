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
	"tokentube/utils/respond"
)

// NotMe is for owners whose account somebody else is using: through the link in a notice, or where they are logged in.
type NotMe struct{ *App }

// Routes registers the feature.
func (n NotMe) Routes(r middlewares.Access) {
	public := r.Public.NoRenew()
	public.Page(http.MethodGet, "/not-me", n.Edit)
	public.Limit(n.Auth.Limits.Mails).Both(http.MethodPost, "/not-me", n.Create)

	r.Sensitive.Page(http.MethodGet, "/settings/security/not-me", n.EditHere)
	r.Sensitive.Both(http.MethodPost, "/settings/security/not-me", n.CreateHere)
}

type notMe struct {
	Token string `form:"token" json:"token,omitempty"`

	Username string `form:"-" json:"-"` // for the page
	Back     string `form:"-" json:"-"` // the address that is restored, if the account has another one now
}

// Edit is GET /not-me: the page that the link leads to. Only its button acts, because mail scanners open links too.
func (n NotMe) Edit(c *gin.Context) error {
	token := c.Query("token")
	if token == "" {
		return respond.Redirect(c, "/forgot-password")
	}
	user, address, err := n.openLink(c, models.NotMe, token)
	if err != nil {
		return respond.Invalid(c, "resets/new", forgotten{Off: !n.SendsMail()}, err)
	}
	page := notMe{Token: token, Username: user.Username}
	if address != user.Address() {
		page.Back = address
	}
	return respond.Show(c, "notme/edit", page)
}

type resetBegun struct {
	Token string `json:"token"` // for a new password
}

// Create is POST /not-me: locks everybody out of the account. All sessions end, the password stops working, a changed
// address is restored, and second steps added within a week are removed. The link has proved access to the mailbox, so
// it leads straight to a new password.
func (n NotMe) Create(c *gin.Context) error {
	var in notMe
	if err := input.Read(c.Request, &in, nil); err != nil {
		return err
	}
	c.Header("Referrer-Policy", "strict-origin")
	var secret string
	err := n.DB.Atomically(c, func(ctx context.Context) (err error) {
		secret, err = n.takeBack(ctx, in.Token, middlewares.DeviceOf(c))
		return err
	})
	if apperr.Is(err, apperr.NotFound) { // changed at the same moment
		err = models.ErrLinkOver()
	}
	if err != nil {
		return respond.Invalid(c, "resets/new", forgotten{Off: !n.SendsMail()}, err)
	}
	return respond.Done(c, "Every device is signed out, and your old password no longer works. Choose a new one.",
		"/reset-password?token="+secret, resetBegun{secret})
}

// takeBack does that, and makes the link to a new password.
func (n NotMe) takeBack(ctx context.Context, token string, d models.Device) (secret string, err error) {
	user, address, err := n.Links.Use(ctx, models.NotMe, token)
	if err != nil {
		return "", err
	}
	if user, err = n.Addresses.PutBack(ctx, user, address); err != nil {
		return "", err
	}
	if err := n.replacePassword(ctx, user, "", models.EventNotMe, &models.Session{User: user.ID}, d); err != nil {
		return "", err
	}
	if err := n.removeNewFactors(ctx, user.ID, d); err != nil {
		return "", err
	}
	if err := n.Devices.Forget(ctx, user.ID); err != nil {
		return "", err
	}
	if user, err = n.Users.ByID(ctx, user.ID); err != nil {
		return "", err
	}
	return n.Links.Make(ctx, user, models.ResetPassword, address)
}

// removeNewFactors removes the factors that the intruder may have added: the link in the notice about one is valid as
// long as this reaches back. Older ones stay, so that someone who can read the mailbox can't bypass them.
func (n NotMe) removeNewFactors(ctx context.Context, user bson.ObjectID, d models.Device) error {
	removed, err := n.Factors.RemoveSince(ctx, user, n.Now().Add(-models.UndoTime))
	if err != nil {
		return err
	}
	var names []string
	if removed.App {
		names = append(names, theApp)
	}
	for _, p := range removed.Passkeys {
		names = append(names, thePasskey(p))
	}
	for _, name := range names {
		if err := n.Events.AddAbout(ctx, models.EventFactorRemoved, &models.Session{User: user}, d, name); err != nil {
			return err
		}
	}
	return nil
}

// EditHere is GET /settings/security/not-me.
func (n NotMe) EditHere(c *gin.Context) error { return respond.Show(c, "notme/here", struct{}{}) }

// CreateHere is POST /settings/security/not-me: ends all other sessions, cancels an unconfirmed change of address, and
// leads to a new password. This session stays: a thief with the password must not be able to lock the owner out.
func (n NotMe) CreateHere(c *gin.Context) error {
	id := middlewares.Current(c)
	var ended []*models.Session
	err := n.DB.Atomically(c, func(ctx context.Context) (err error) {
		if ended, err = n.Sessions.EndOthers(ctx, id.User.ID, id.Session.ID, models.EndedByUser); err != nil {
			return err
		}
		if err := n.noteEnded(ctx, ended, middlewares.DeviceOf(c)); err != nil {
			return err
		}
		if _, err := n.Addresses.Cancel(ctx, id.User.ID); err != nil {
			return err
		}
		if err := n.Devices.Forget(ctx, id.User.ID); err != nil {
			return err
		}
		return n.Events.Add(ctx, models.EventNotMeHere, id.Session, middlewares.DeviceOf(c))
	})
	if err != nil {
		return err
	}
	return respond.Done(c, "All other devices are logged out. Now choose a new password.", "/settings/password", endedCount{len(ended)})
}

// meetDevice tells the owner about a login from a new device. A browser is recognised by its cookie; a program, which
// may keep none, by its User-Agent.
func (a *App) meetDevice(c *gin.Context, user *models.User, session *models.Session, browser string) error {
	recognised := "browser " + browser
	device := middlewares.DeviceOf(c)
	if !fromBrowser(c) || browser == "" {
		place := newPlace(device.UserAgent, "")
		recognised = "program " + place.Browser + " " + place.Device
	}
	isNew, err := a.Devices.Meet(c, user.ID, recognised)
	if err != nil || !isNew {
		return err
	}
	a.tell(c, models.MailNewDevice, user)
	return a.Events.Add(c, models.EventNewDevice, session, device)
}
