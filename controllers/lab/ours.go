package lab

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
)

// ours is this site, as an experiment sees it: requests go through its engine, its middlewares and its models.
type ours struct {
	*Lab
	c        *gin.Context
	sessions []*models.Session // of the run, newest last
}

func (o *ours) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.site.ServeHTTP(w, r)
	o.tell(news{})
}

func (o *ours) address() string { return o.Config.BaseURL + o.target }

func (o *ours) cookies() (access, refresh string) { return o.Auth.Cookies.Names() }

func (o *ours) now() time.Time { return o.Now() }

func (o *ours) pass(ctx context.Context, d time.Duration) error { return o.Sleep(ctx, d) }

func (o *ours) tell(n news) {
	for _, s := range o.sessions {
		o.watchers.tell(o.c, s.ID, n)
	}
}

// session is the run's newest session, as last loaded.
func (o *ours) session() *models.Session { return o.sessions[len(o.sessions)-1] }

// look loads the session that the refresh token names, or else the newest one.
func (o *ours) look(pair middlewares.Pair) (state, error) {
	id := o.session().ID
	if claims, _ := o.Auth.Tokens.Refresh.Verify(pair.Refresh); claims != nil {
		if named, err := store.ParseID(claims.SessionID); err == nil {
			id = named
		}
	}
	s, err := o.Sessions.OfUserByID(o.c, o.session().User, id)
	if err != nil {
		return state{}, err
	}
	if o.session().ID == s.ID {
		o.sessions = o.sessions[:len(o.sessions)-1]
	}
	o.sessions = append(o.sessions, s)
	now := state{newest: o.number("R", s.ID.Hex(), s.Current.ID), seen: s.Current.Seen, over: s.EndedAt != nil, renewals: s.Renewals}
	for _, recent := range s.Recent {
		if recent.Until != nil {
			now.grace = *recent.Until
		}
	}
	return now, nil
}

func (o *ours) usable(pair middlewares.Pair) bool {
	claims, err := o.Auth.Tokens.Access.Verify(pair.Access)
	return err == nil && claims.RefreshID == o.session().Current.ID && claims.ExpiresAt.Sub(o.Now()) > time.Second
}

func (o *ours) name(raw string) string {
	if claims, _ := o.Auth.Tokens.Access.Verify(raw); claims != nil {
		return o.number("A", claims.SessionID, claims.RefreshID)
	}
	if claims, _ := o.Auth.Tokens.Refresh.Verify(raw); claims != nil {
		return o.number("R", claims.SessionID, claims.ID)
	}
	return "?"
}

// number names a token by the number of its refresh token in its session, such as R2. Further sessions of the run have
// primes: R2′.
func (o *ours) number(kind, session, jti string) string {
	for i, s := range o.sessions {
		if s.ID.Hex() == session {
			return kind + number(s, jti) + strings.Repeat("′", i)
		}
	}
	return kind + "?"
}

// number counts the session's refresh tokens from the first one issued.
func number(s *models.Session, jti string) string {
	if jti == s.Current.ID {
		return strconv.Itoa(oldest(s) + len(s.Recent))
	}
	for i, recent := range s.Recent {
		if recent.ID == jti {
			return strconv.Itoa(oldest(s) + i)
		}
	}
	return "?"
}

// oldest is the number of the earliest refresh token that the session still remembers.
func oldest(s *models.Session) int { return int(s.Renewals) + 1 - len(s.Recent) }
