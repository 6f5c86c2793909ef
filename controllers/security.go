package controllers

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// Security are the actions that tell users what happened to their account.
type Security struct{ *App }

// Routes registers the feature.
func (s Security) Routes(r middlewares.Access) {
	r.Sensitive.Page(http.MethodGet, "/settings/security", s.Index)
	r.Sensitive.API(http.MethodGet, "/users/security-log", s.Index)
	r.Sensitive.Page(http.MethodDelete, "/settings/security/notice", s.Dismiss)
	r.Sensitive.API(http.MethodDelete, "/users/security-log/notice", s.Dismiss)
}

// LogEntry is an event in words. Place is who did it.
type LogEntry struct {
	ID      string           `json:"_id"`
	Type    models.EventType `json:"type"`
	Message string           `json:"message"`
	Place
	Ended     *Place    `json:"ended,omitempty"` // the device that was signed out
	Count     int64     `json:"count"`           // how many alike this one stands for
	CreatedAt time.Time `json:"createdAt"`
	LastAt    time.Time `json:"lastAt"` // of several, the last
}

type securityLog struct {
	Events []LogEntry `json:"events"`
	Next   *string    `json:"next"`
	More   string     `json:"-"` // the address of the next page
}

type logQuery struct {
	After string `form:"after"`
	Limit *int   `form:"limit"`
}

// Index is GET /settings/security and /users/security-log: what happened in the
// last ninety days, the newest first.
func (s Security) Index(c *gin.Context) error {
	var in logQuery
	if err := input.Query(c.Request, &in); err != nil {
		return err
	}
	limit := pageSize
	if in.Limit != nil {
		limit = min(*in.Limit, largestPage)
	}
	if limit < 1 {
		return apperr.InvalidField("limit", "This must be 1 to %d.", largestPage)
	}
	events, next, err := s.Events.List(c, middlewares.UserID(c), in.After, limit)
	if err != nil {
		return err
	}
	out := securityLog{Events: make([]LogEntry, 0, len(events))}
	for _, e := range events {
		out.Events = append(out.Events, logEntry(e))
	}
	if next != "" {
		out.Next, out.More = &next, nextPage(c.Request.URL, next)
	}
	return respond.Show(c, "settings/security", out)
}

func logEntry(e *models.Event) LogEntry {
	out := LogEntry{
		ID: e.ID.Hex(), Type: e.Type, Message: messages[e.Type], Place: newPlace(e.UserAgent, e.IP),
		Count: max(1, e.Count), CreatedAt: e.CreatedAt, LastAt: e.LastAt,
	}
	if e.LastAt.Before(e.CreatedAt) {
		out.LastAt = e.CreatedAt // written before entries were counted
	}
	if e.Ended != nil {
		ended := newPlace(e.Ended.UserAgent, e.Ended.IP)
		out.Ended = &ended
	}
	if e.Why == models.TooMany {
		out.Message = "The oldest device was signed out, because there were more than fifty"
	}
	return out
}

var messages = map[models.EventType]string{
	models.EventLogin:          "Logged in",
	models.EventLoginFailed:    "Someone tried to log in with a wrong password",
	models.EventLogout:         "Logged out",
	models.EventSessionEnded:   "A device was signed out from another one",
	models.EventPassword:       "The password was changed, and all other devices were signed out",
	models.EventEmail:          "The e-mail address was changed",
	models.EventTokenReuse:     "An old token was used again, as a thief would: that login was ended",
	models.EventTokenElsewhere: "A token was renewed twice within moments, the second time from another address or browser",
}

// Dismiss is DELETE /settings/security/notice and /users/security-log/notice:
// the notice of a theft was read.
func (s Security) Dismiss(c *gin.Context) error {
	id := middlewares.Current(c)
	if err := s.Users.DismissTheft(c, id.User.ID, id.Session.CreatedAt); err != nil {
		return err
	}
	return respond.Done(c, "The notice is put away. The security log keeps what happened.", "/settings/security", nil)
}

// theftNotice is what whoever logs in after a theft is told.
func theftNotice(u *models.User, s *models.Session) string {
	if u.TheftToTell(s) == nil {
		return ""
	}
	return "An old token of yours was used a second time, which happens when somebody copied it. " +
		"That login was ended. Look at the security log, and change your password if you do not know why."
}

// noteFailure tells the owner of an account that somebody tried to get in. It
// takes no time here: the answer must not be slower for names that exist.
func (a *App) noteFailure(c *gin.Context, user *models.User) {
	if user.ID.IsZero() {
		return
	}
	a.Events.AddLater(models.EventLoginFailed, &models.Session{User: user.ID}, middlewares.DeviceOf(c), func(err error) {
		a.Log.Error("event not kept", "event", models.EventLoginFailed, "error", err)
	})
}
