package lab

import (
	"net/http"

	"tokentube/middlewares"
	"tokentube/models"
)

// renewAndUse gets a new pair and uses it, after which the refresh token before is
// an old one whose grace runs. It returns that token and the answer to it.
func (r *run) renewAndUse() (old string, renewed *answer, err error) {
	if err := r.ready(); err != nil {
		return "", nil, err
	}
	old = r.held.Refresh
	if renewed, err = r.send(request{title: leftOut, cookies: r.withoutAccess()}); err != nil {
		return "", nil, err
	}
	_, err = r.ask("The new tokens are in use: from now on the old refresh token has its grace of five seconds")
	return old, renewed, err
}

func (r *run) replayInGrace() error {
	old, renewed, err := r.renewAndUse()
	if err != nil {
		return err
	}
	replay, err := r.send(request{title: "The old refresh token comes back at once", cookies: &middlewares.Pair{Refresh: old}})
	if err != nil {
		return err
	}
	session, err := r.look()
	if err != nil {
		return err
	}
	r.find(replay.status == http.StatusOK, "Within the grace it is answered.")
	r.find(replay.set.Refresh != "" && replay.set.Refresh == renewed.set.Refresh, "It brings the same successor: there are never two lines of tokens.")
	r.find(session.EndedAt == nil, "The session goes on.")
	return nil
}

func (r *run) replayAfterGrace() error {
	old, _, err := r.renewAndUse()
	if err != nil {
		return err
	}
	session, err := r.look()
	if err != nil {
		return err
	}
	for _, recent := range session.Recent {
		if recent.Until == nil {
			continue
		}
		if err := r.wait(*recent.Until, "the old refresh token's grace was over"); err != nil {
			return err
		}
	}
	owner := r.held
	replay, err := r.send(request{title: "The old refresh token comes back: someone has a copy", thief: true, cookies: &middlewares.Pair{Refresh: old}})
	if err != nil {
		return err
	}
	after, err := r.send(request{title: "And the one who holds the newest tokens", cookies: &owner})
	if err != nil {
		return err
	}
	if session, err = r.look(); err != nil {
		return err
	}
	r.find(replay.status == http.StatusUnauthorized, "The replay is refused with 401.")
	r.find(session.EndedAt != nil && session.EndedFor == models.TokenReused, "The session was ended, because a replaced token was used again.")
	r.find(after.status == http.StatusUnauthorized, "The newest tokens are refused too: nobody can tell the owner from the thief. The owner logs in again, the thief cannot.")
	return nil
}

func (r *run) logoutReplay() error {
	if err := r.ready(); err != nil {
		return err
	}
	old := r.held
	out, err := r.send(request{title: "Log out", method: http.MethodPost, path: "/logout"})
	if err != nil {
		return err
	}
	cleared := r.held == middlewares.Pair{}
	access, err := r.send(request{title: "Somebody kept the access token, and shows it", thief: true, header: old.Access})
	if err != nil {
		return err
	}
	refresh, err := r.send(request{title: "And the refresh token", thief: true, method: http.MethodPost, path: "/renew", cookies: &middlewares.Pair{Refresh: old.Refresh}})
	if err != nil {
		return err
	}
	r.find(out.status == http.StatusOK && cleared, "The session is ended, and both cookies are cleared.")
	r.find(access.status == http.StatusUnauthorized, "The access token is refused, though it has not run out: its session is over.")
	r.find(refresh.status == http.StatusUnauthorized, "The refresh token renews nothing.")
	return nil
}
