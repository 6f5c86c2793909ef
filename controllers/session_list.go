package controllers

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/respond"
)

// Devices let users see where they are logged in, and sign out devices they don't recognize.
type Devices struct{ *App }

// Routes registers the feature. All of it is Sensitive: a session that another process of the site ended a moment ago
// must not be able to end others.
func (d Devices) Routes(r middlewares.Access) {
	r.Sensitive.Both(http.MethodGet, "/settings/sessions", d.Index)
	r.Sensitive.Both(http.MethodDelete, "/settings/sessions/:id", d.Delete)
	r.Sensitive.Both(http.MethodDelete, "/settings/sessions", d.DeleteOthers)
}

// Session is a login as its user sees it. LastSeenAt is when the device last got new tokens; an active one gets them
// whenever its access token expires.
type Session struct {
	ID   string             `json:"_id"`
	Kind models.SessionKind `json:"kind"` // web, or lab for a session of the token lab
	Place
	CreatedAt  time.Time `json:"createdAt"`
	LastSeenAt time.Time `json:"lastSeenAt"`
	ExpiresAt  time.Time `json:"expiresAt"` // unless it is renewed first
	Renewals   int64     `json:"renewals"`
	Current    bool      `json:"current"` // the session of this request
}

type sessionList struct {
	Sessions []Session `json:"sessions"`
}

// Index is GET /settings/sessions and /users/sessions: the current device first, then the others by when they were last
// seen. There are at most fifty.
func (d Devices) Index(c *gin.Context) error {
	id := middlewares.Current(c)
	all, err := d.Sessions.OfUser(c, id.User.ID)
	if err != nil {
		return err
	}
	out := sessionList{Sessions: make([]Session, 0, len(all))}
	for _, s := range all {
		out.Sessions = append(out.Sessions, session(s, s.ID == id.Session.ID))
	}
	slices.SortStableFunc(out.Sessions, func(a, b Session) int {
		switch {
		case a.Current:
			return -1
		case b.Current:
			return 1
		}
		return b.LastSeenAt.Compare(a.LastSeenAt)
	})
	return respond.Show(c, "settings/sessions", out)
}

func session(s *models.Session, current bool) Session {
	return Session{
		ID: s.ID.Hex(), Kind: s.Kind, Place: newPlace(s.UserAgent, s.IP), Renewals: s.Renewals, Current: current,
		CreatedAt: s.CreatedAt, LastSeenAt: s.LastSeenAt, ExpiresAt: s.ExpiresAt,
	}
}

// Delete is DELETE /settings/sessions/:id and /users/sessions/:id: its tokens stop working immediately. Ending the
// current session is a logout.
func (d Devices) Delete(c *gin.Context) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	if id == middlewares.Current(c).Session.ID {
		return d.endThis(c)
	}
	err = d.DB.Atomically(c, func(ctx context.Context) error {
		ended, err := d.Sessions.End(ctx, user, id, models.EndedByUser)
		if err != nil {
			return err
		}
		return d.noteEnded(ctx, []*models.Session{ended}, middlewares.DeviceOf(c))
	})
	if err != nil {
		return err
	}
	return respond.Done(c, "Device signed out.", "/settings/sessions", nil)
}

// endThis ends the session by its id rather than by the tokens in the request: with an Authorization header, the
// cookies may belong to another session.
func (d Devices) endThis(c *gin.Context) error {
	id := middlewares.Current(c)
	if err := d.endSession(c, id.User.ID, id.Session.ID, models.LoggedOut, middlewares.DeviceOf(c)); err != nil {
		return err
	}
	if !id.ByHeader {
		d.forget(c)
	}
	return respond.Done(c, "You are logged out.", "/", nil)
}

type endedCount struct {
	Ended int `json:"ended"`
}

// DeleteOthers is DELETE /settings/sessions and /users/sessions: signs out every other device.
func (d Devices) DeleteOthers(c *gin.Context) error {
	id := middlewares.Current(c)
	var ended []*models.Session
	err := d.DB.Atomically(c, func(ctx context.Context) (err error) {
		if ended, err = d.Sessions.EndOthers(ctx, id.User.ID, id.Session.ID, models.EndedByUser); err != nil {
			return err
		}
		return d.noteEnded(ctx, ended, middlewares.DeviceOf(c))
	})
	if err != nil {
		return err
	}
	return respond.Done(c, "All other devices were signed out.", "/settings/sessions", endedCount{len(ended)})
}

// noteEnded records in the security log which devices this one signed out.
func (a *App) noteEnded(ctx context.Context, ended []*models.Session, by models.Device) error {
	for _, s := range ended {
		if err := a.Events.Add(ctx, models.EventSessionEnded, s, by); err != nil {
			return err
		}
	}
	return nil
}
