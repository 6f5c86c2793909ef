package controllers

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/respond"
)

// Security shows users what happened to their account.
type Security struct{ *App }

// Routes registers the feature.
func (s Security) Routes(r middlewares.Access) {
	r.Sensitive.Both(http.MethodGet, "/settings/security", s.Index)
	r.Sensitive.Both(http.MethodDelete, "/settings/security/notice", s.Dismiss)
}

// LogEntry is an event in words. Place is the device that caused it.
type LogEntry struct {
	ID      string           `json:"_id"`
	Type    models.EventType `json:"type"`
	Message string           `json:"message"`
	Place
	Ended     *Place    `json:"ended,omitempty"` // the device that was signed out
	Count     int64     `json:"count"`           // how many identical events this entry stands for
	Mine      bool      `json:"-"`               // caused by the owner, or by somebody acting as them
	CreatedAt time.Time `json:"createdAt"`
	LastAt    time.Time `json:"lastAt"` // when the latest of several happened
}

type securityLog struct {
	Events []LogEntry `json:"events"`
	next
}

// Index is GET /settings/security: the events of the last ninety days, newest first.
func (s Security) Index(c *gin.Context) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	page, err := s.Events.Page(c, middlewares.UserID(c), p)
	if err != nil {
		return err
	}
	out := securityLog{Events: make([]LogEntry, 0, len(page.Items)), next: nextOf(c, page.Next)}
	for _, e := range page.Items {
		out.Events = append(out.Events, logEntry(e))
	}
	return respond.Show(c, "settings/security", out)
}

func logEntry(e *models.Event) LogEntry {
	out := LogEntry{
		ID: e.ID.Hex(), Type: e.Type, Message: messages[e.Type] + e.About, Place: newPlace(e.UserAgent, e.IP),
		Count: max(1, e.Count), CreatedAt: e.CreatedAt, LastAt: e.LastAt,
	}
	switch e.Type {
	case models.EventLoginFailed, models.EventTokenReuse, models.EventTokenElsewhere, models.EventLogout, models.EventEmailLost, models.EventNotMe, models.EventNotMeHere:
	default:
		out.Mine = e.IP != "" && e.By.IsZero()
	}
	if e.LastAt.Before(e.CreatedAt) {
		out.LastAt = e.CreatedAt // written before identical events were counted
	}
	if !e.By.IsZero() || e.Type == models.EventDisabled || e.Type == models.EventEnabled {
		out.Message = moderatedMessage(e)
	}
	if e.Ended != nil {
		ended := newPlace(e.Ended.UserAgent, e.Ended.IP)
		out.Ended = &ended
	}
	switch e.Why {
	case models.TooMany:
		out.Message = "The oldest device was signed out because more than 50 were logged in"
	case models.Restored:
		out.Message, out.Ended = "Every device was signed out because the site was restored from a backup", nil
	}
	return out
}

// moderatedMessage describes a moderator's action, for the moderator or for the user it was taken against.
func moderatedMessage(e *models.Event) string {
	did := map[models.EventType]string{
		models.EventHidden: "hid", models.EventRestored: "made visible again", models.EventDisabled: "disabled", models.EventEnabled: "enabled",
		models.EventFactorsLost: "removed every second step from the login of", models.EventSignedOut: "signed out every device of",
		models.EventDismissed: "dismissed the reports on",
	}[e.Type]
	who := "A moderator "
	if e.By == e.User {
		who = "You "
	}
	return who + did + " " + e.About
}

var messages = map[models.EventType]string{
	models.EventLogin:          "Logged in",
	models.EventLoginFailed:    "Someone tried to log in with a wrong password",
	models.EventLogout:         "Logged out",
	models.EventSessionEnded:   "A device was signed out remotely",
	models.EventPassword:       "Password changed, and all other devices signed out",
	models.EventReset:          "Password reset by an emailed link, and all devices signed out",
	models.EventEmail:          "The email address was changed",
	models.EventFactorAdded:    "Added to two-step login: ",
	models.EventFactorRemoved:  "Removed from two-step login: ",
	models.EventCodesRenewed:   "New recovery codes made; the old ones no longer work",
	models.EventCodeUsed:       "Logged in with a recovery code; still unused: ",
	models.EventPasskeyCopied:  "Refused, because it may have been copied: ",
	models.EventSecondFailed:   "Someone who knows your password failed at the second step",
	models.EventConfirmed:      "Confirmed it was you",
	models.EventConfirmFailed:  "Someone who was logged in couldn’t confirm it was you",
	models.EventEmailAsked:     "A new email address was entered, which must be confirmed",
	models.EventEmailLost:      "Someone else registered with your email address, which you hadn’t confirmed",
	models.EventNewDevice:      "First login on a new device",
	models.EventNotMe:          "“This wasn’t me” in an email: all devices signed out, and the old password turned off",
	models.EventNotMeHere:      "“This wasn’t me”: all other devices signed out",
	models.EventTokenReuse:     "A replaced token was used again, a sign of theft, so that login was signed out",
	models.EventTokenElsewhere: "A token was renewed twice within moments, the second time from a different address or browser",
}

// Dismiss is DELETE /settings/security/notice: dismisses the notice of a token theft.
func (s Security) Dismiss(c *gin.Context) error {
	id := middlewares.Current(c)
	if err := s.Users.DismissTheft(c, id.User.ID, id.Session.CreatedAt); err != nil {
		return err
	}
	return respond.Done(c, "Notice dismissed. The details stay in your security log.", "/settings/security", nil)
}
