package controllers

import (
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// AdminAccounts let administrators help users who can't log in any more, or whose login has been taken over.
type AdminAccounts struct{ *App }

// Routes registers the feature. A stolen administrator session must not open other people's accounts.
func (a AdminAccounts) Routes(r middlewares.Access) {
	confirmed := r.Admin.Confirmed()
	confirmed.Page(http.MethodGet, "/admin/accounts", a.Index)
	r.Admin.API(http.MethodGet, "/admin/accounts", a.Index)
	confirmed.Both(http.MethodDelete, "/admin/accounts/:id/factors", a.RemoveFactors)
	confirmed.Both(http.MethodDelete, "/admin/accounts/:id/sessions", a.EndSessions)
}

// Account is what an administrator needs to know about an account.
type Account struct {
	ID            string `json:"_id"`
	Username      string `json:"username"`
	FullName      string `json:"fullName"`
	IsAdmin       bool   `json:"isAdmin"`
	IsDisabled    bool   `json:"isDisabled"`
	IsTwoStep     bool   `json:"isTwoStep"`
	SessionsCount int64  `json:"sessionsCount"`
}

type accountSearch struct {
	Username string
	Found    *Account
}

// Index is GET /admin/accounts?username=…: one account, by its username or email address.
func (a AdminAccounts) Index(c *gin.Context) error {
	var in struct {
		Username string `form:"username"`
	}
	if err := input.Query(c.Request, &in); err != nil {
		return err
	}
	page := accountSearch{Username: in.Username}
	if in.Username == "" {
		if respond.WantsJSON(c) {
			return apperr.InvalidField("username", "Enter a username or an email address.")
		}
		return respond.Show(c, "admin/accounts", page)
	}
	found, err := a.find(c, in.Username)
	if respond.WantsJSON(c) {
		if err != nil {
			return err
		}
		return respond.Show(c, "admin/accounts", found)
	}
	if apperr.Is(err, apperr.NotFound) {
		return respond.Invalid(c, "admin/accounts", page, apperr.InvalidField("username", "Nobody has this name or address."))
	}
	if err != nil {
		return err
	}
	page.Found = found
	return respond.Show(c, "admin/accounts", page)
}

func (a AdminAccounts) find(c *gin.Context, name string) (*Account, error) {
	u, err := a.Users.ByLogin(c, name)
	if err != nil {
		return nil, err
	}
	sessions, err := a.Sessions.OfUser(c, u.ID)
	return &Account{
		ID: u.ID.Hex(), Username: u.Username, FullName: u.FullName, IsAdmin: u.HasRole(models.Admin), IsDisabled: u.DisabledAt != nil,
		IsTwoStep: u.FactorsCount > 0, SessionsCount: int64(len(sessions)),
	}, err
}

// RemoveFactors is DELETE /admin/accounts/:id/factors. It is idempotent.
func (a AdminAccounts) RemoveFactors(c *gin.Context) error {
	admin, id, err := target(c)
	if err != nil {
		return err
	}
	user, removed, err := a.Moderation.RemoveFactors(c, models.Moderator{ID: admin, Device: middlewares.DeviceOf(c)}, id)
	if err != nil {
		return err
	}
	if removed { // the owner doesn't learn where the moderator was
		a.tellAbout(c, models.MailFactorsLost, user, models.Device{}, "")
	}
	return respond.Done(c, "@"+user.Username+" logs in with the password alone now.", "/admin/accounts?username="+url.QueryEscape(user.Username), nil)
}

// EndSessions is DELETE /admin/accounts/:id/sessions.
func (a AdminAccounts) EndSessions(c *gin.Context) error {
	admin, id, err := target(c)
	if err != nil {
		return err
	}
	count, err := a.Moderation.EndSessions(c, models.Moderator{ID: admin, Device: middlewares.DeviceOf(c)}, id)
	if err != nil {
		return err
	}
	return respond.Done(c, "Every device of this account is signed out.", respond.Back(c, "/admin/accounts"), endedCount{count})
}
