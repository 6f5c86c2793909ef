package controllers

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"tokentube/models"
)

// experiment is a button of the lab, and the code that decides about what it
// shows.
type experiment struct {
	name, label, summary string
	code                 []string
	run                  func(*labRun) error
}

var experiments = []experiment{
	{"expire", "Let the access token run out", "Waits up to ten seconds. The next request is renewed on its way: nobody notices.",
		[]string{"middlewares.Auth.identify", "middlewares.Auth.Renew", "models.Sessions.replaceCurrent"}, (*labRun).expire},
	{"tamper-header", "Change the payload, send it as a header", "A client that shows a token on purpose is told when it is not good.",
		[]string{"middlewares.Auth.identify", "token.Kind.verify", "middlewares.refuse"}, (*labRun).tamperHeader},
	{"tamper-cookie", "Change the payload, leave it in its cookie", "A cookie that is not good is as none: the refresh token decides.",
		[]string{"middlewares.Auth.identify", "token.Kind.verify", "middlewares.Auth.fromRefresh"}, (*labRun).tamperCookie},
	{"eight-at-once", "Send eight requests at once", "A page that loads eight things with a token that has run out: one rotation, one successor.",
		[]string{"models.Sessions.Rotate", "models.Sessions.unchanged", "models.Session.accepts"}, (*labRun).eightAtOnce},
	{"lost-response", "Lose the answer, and ask again", "The new tokens never arrive. Asking again with the old one gives the same.",
		[]string{"models.Session.accepts", "models.Sessions.Rotate", "models.User.GenerateRefreshToken"}, (*labRun).lostResponse},
	{"replay-in-grace", "Replay the old refresh token at once", "Within its grace it is answered with the same successor: another tab may have been slow.",
		[]string{"models.Sessions.startGrace", "models.Session.accepts"}, (*labRun).replayInGrace},
	{"replay-after-grace", "Replay the old refresh token after its grace", "Waits five seconds. Then it is theft, and the session ends for both who hold its tokens.",
		[]string{"models.Sessions.CheckRefreshToken", "models.Sessions.End", "middlewares.Auth.noteTheft"}, (*labRun).replayAfterGrace},
	{"logout-replay", "Log out, and use the old tokens", "Both tokens are well signed and not yet run out, and open nothing.",
		[]string{"controllers.App.endSessions", "models.Sessions.ifLive", "middlewares.Auth.fromAccess"}, (*labRun).logoutReplay},
}

func (r *labRun) expire() error {
	if err := r.ready(); err != nil {
		return err
	}
	good, err := r.ask("The access token is good")
	if err != nil {
		return err
	}
	claims, err := r.lab.inside.Auth.Tokens.Access.Verify(r.held.access)
	if err != nil {
		return err
	}
	if err := r.wait(claims.ExpiresAt.Time, "the access token had run out"); err != nil {
		return err
	}
	renewed, err := r.ask("The same request again")
	if err != nil {
		return err
	}
	after, err := r.ask("And once more, with the new tokens")
	if err != nil {
		return err
	}
	r.find(good.status == http.StatusOK && good.set == cookiePair{}, "A good access token opens the door, and no cookie is set.")
	r.find(renewed.status == http.StatusOK && renewed.set.access != "" && renewed.set.refresh != "", "When it has run out, the same request is answered as well, and brings two new tokens.")
	r.find(after.status == http.StatusOK && after.set == cookiePair{}, "With these all goes on as before.")
	return nil
}

// tampered is the held access token with another name and a role in its payload.
func (r *labRun) tampered() (string, error) {
	if err := r.ready(); err != nil {
		return "", err
	}
	parts := strings.Split(r.held.access, ".")
	if len(parts) != 3 {
		return "", fmt.Errorf("an access token has %d parts", len(parts))
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		return "", err
	}
	claims["username"], claims["roles"] = "admin", []string{"admin"}
	payload, err = json.Marshal(claims)
	if err != nil {
		return "", err
	}
	parts[1] = base64.RawURLEncoding.EncodeToString(payload)
	changed := strings.Join(parts, ".")
	r.name(changed, "changed")
	r.say("The payload now says that the user is “admin” and has the role “admin”. The signature is the old one")
	return changed, nil
}

func (r *labRun) tamperHeader() error {
	changed, err := r.tampered()
	if err != nil {
		return err
	}
	a, err := r.send(request{title: "The changed token in the Authorization header", header: changed})
	if err != nil {
		return err
	}
	r.find(a.status == http.StatusUnauthorized, "The signature does not fit the payload: refused with 401.")
	r.find(strings.Contains(a.header.Get("WWW-Authenticate"), "invalid_token"), "The answer says why: invalid_token (RFC 6750).")
	return nil
}

func (r *labRun) tamperCookie() error {
	changed, err := r.tampered()
	if err != nil {
		return err
	}
	a, err := r.send(request{title: "The changed token in its cookie, beside the refresh token", cookies: &cookiePair{changed, r.held.refresh}})
	if err != nil {
		return err
	}
	var body struct {
		Data struct {
			ID       string `json:"_id"`
			Username string `json:"username"`
		} `json:"data"`
	}
	if err := json.Unmarshal(a.body.Bytes(), &body); err != nil {
		return err
	}
	r.find(a.status == http.StatusOK && a.set.access != "", "The changed token counts as none, and the refresh token renews.")
	r.find(body.Data.ID == r.session.User.Hex(), "The answer is for @"+body.Data.Username+": what the changed payload says is not believed.")
	return nil
}

// withoutAccess is what a browser sends whose access token is of no use.
func (r *labRun) withoutAccess() *cookiePair { return &cookiePair{refresh: r.held.refresh} }

const leftOut = "With the refresh token alone, as if the access token had run out"

func (r *labRun) eightAtOnce() error {
	if err := r.ready(); err != nil {
		return err
	}
	before, err := r.look()
	if err != nil {
		return err
	}
	const n = 8
	answers, steps, faults := make([]*answer, n), make([]LabStep, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			title := fmt.Sprintf("Request %d of eight, with the refresh token alone", i+1)
			answers[i], steps[i], faults[i] = r.exchange(request{title: title, cookies: r.withoutAccess()})
		})
	}
	all.Wait()
	successors, served := map[string]bool{}, 0
	held := r.held
	for i := range n {
		if faults[i] != nil {
			return faults[i]
		}
		if answers[i].status == http.StatusOK {
			served++
		}
		successors[answers[i].set.refresh] = true
		steps[i].Before = r.lines(held)
		r.take(answers[i], &r.held)
		steps[i].After = r.lines(r.held)
		held = r.held
	}
	r.steps = append(r.steps, steps...)
	after, err := r.look()
	if err != nil {
		return err
	}
	r.find(served == n, fmt.Sprintf("%d of eight requests were answered with 200.", served))
	r.find(after.Renewals == before.Renewals+1, fmt.Sprintf("The session was renewed %d time.", after.Renewals-before.Renewals))
	r.find(len(successors) == 1 && !successors[""], fmt.Sprintf("All answers brought %d refresh token.", len(successors)))
	return nil
}

func (r *labRun) look() (*models.Session, error) {
	return r.lab.inside.Sessions.Look(r.c, r.session.User, r.session.ID)
}

func (r *labRun) lostResponse() error {
	if err := r.ready(); err != nil {
		return err
	}
	lost, err := r.send(request{title: leftOut + ". The answer gets lost", cookies: r.withoutAccess(), lost: true})
	if err != nil {
		return err
	}
	again, err := r.send(request{title: "The browser still has the old refresh token, and asks again", cookies: r.withoutAccess()})
	if err != nil {
		return err
	}
	r.find(lost.status == http.StatusOK && lost.set.refresh != "", "The first answer brought new tokens, but the browser never got them.")
	r.find(again.status == http.StatusOK && again.set.refresh == lost.set.refresh, "The second brought the same refresh token: nobody is logged out by a bad connection.")
	return nil
}
