package lab

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"tokentube/middlewares"
	"tokentube/models"
)

// experiment is a button of the lab, and the code that decides about what it
// shows.
type experiment struct {
	Button
	code []string
	run  func(*run) error
}

var experiments = []experiment{
	{Button{"expire", "Let the access token run out", "Waits up to ten seconds. The next request is renewed on its way: nobody notices."},
		[]string{"middlewares.Auth.identify", "middlewares.Auth.Renew", "models.Sessions.replaceCurrent"}, (*run).expire},
	{Button{"tamper-header", "Change the payload, send it as a header", "A client that shows a token on purpose is told when it is not good."},
		[]string{"middlewares.Auth.identify", "token.Kind.verify", "middlewares.refuse"}, (*run).tamperHeader},
	{Button{"tamper-cookie", "Change the payload, leave it in its cookie", "A cookie that is not good is as none: the refresh token decides."},
		[]string{"middlewares.Auth.identify", "token.Kind.verify", "middlewares.Auth.fromRefresh"}, (*run).tamperCookie},
	{Button{"eight-at-once", "Send eight requests at once", "A page that loads eight things with a token that has run out: one rotation, one successor."},
		[]string{"models.Sessions.Rotate", "models.Sessions.unchanged", "models.Session.accepts"}, (*run).eightAtOnce},
	{Button{"lost-response", "Lose the answer, and ask again", "The new tokens never arrive. Asking again with the old one gives the same."},
		[]string{"models.Session.accepts", "models.Sessions.Rotate", "models.User.GenerateRefreshToken"}, (*run).lostResponse},
	{Button{"replay-in-grace", "Replay the old refresh token at once", "Within its grace it is answered with the same successor: another tab may have been slow."},
		[]string{"models.Sessions.startGrace", "models.Session.accepts"}, (*run).replayInGrace},
	{Button{"replay-after-grace", "Replay the old refresh token after its grace", "Waits five seconds. Then it is theft, and the session ends for both who hold its tokens."},
		[]string{"models.Sessions.CheckRefreshToken", "models.Sessions.End", "middlewares.Auth.noteTheft"}, (*run).replayAfterGrace},
	{Button{"logout-replay", "Log out, and use the old tokens", "Both tokens are well signed and not yet run out, and open nothing."},
		[]string{"controllers.App.endSessions", "models.Sessions.ifLive", "middlewares.Auth.fromAccess"}, (*run).logoutReplay},
}

func (r *run) expire() error {
	if err := r.ready(); err != nil {
		return err
	}
	good, err := r.ask("The access token is good")
	if err != nil {
		return err
	}
	claims, err := r.lab.Auth.Tokens.Access.Verify(r.held.Access)
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
	r.find(good.status == http.StatusOK && good.set == middlewares.Pair{}, "A good access token opens the door, and no cookie is set.")
	r.find(renewed.status == http.StatusOK && renewed.set.Access != "" && renewed.set.Refresh != "", "When it has run out, the same request is answered as well, and brings two new tokens.")
	r.find(after.status == http.StatusOK && after.set == middlewares.Pair{}, "With these all goes on as before.")
	return nil
}

// tampered is the held access token with another name and a role in its payload.
func (r *run) tampered() (string, error) {
	if err := r.ready(); err != nil {
		return "", err
	}
	parts, claims, err := takeApart(r.held.Access)
	if err != nil {
		return "", err
	}
	claims["username"], claims["roles"] = json.RawMessage(`"admin"`), json.RawMessage(`["admin"]`)
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	parts[1] = base64.RawURLEncoding.EncodeToString(payload)
	r.changed = strings.Join(parts, ".")
	r.say("The payload now says that the user is “admin” and has the role “admin”. The signature is the old one")
	return r.changed, nil
}

func (r *run) tamperHeader() error {
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

func (r *run) tamperCookie() error {
	changed, err := r.tampered()
	if err != nil {
		return err
	}
	a, err := r.send(request{title: "The changed token in its cookie, beside the refresh token", cookies: &middlewares.Pair{Access: changed, Refresh: r.held.Refresh}})
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
	r.find(a.status == http.StatusOK && a.set.Access != "", "The changed token counts as none, and the refresh token renews.")
	r.find(body.Data.ID == r.session.User.Hex(), "The answer is for @"+body.Data.Username+": what the changed payload says is not believed.")
	return nil
}

const leftOut = "With the refresh token alone, as if the access token had run out"

// eightTogether sends eight requests at once, and takes their answers one after
// the other.
func (r *run) eightTogether() (answers []*answer, before, after *models.Session, err error) {
	const n = 8
	if before, err = r.look(); err != nil {
		return nil, nil, nil, err
	}
	answers = make([]*answer, n)
	steps, faults := make([]Step, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			title := fmt.Sprintf("Request %d of eight, with the refresh token alone", i+1)
			answers[i], steps[i], faults[i] = r.exchange(request{title: title, cookies: r.withoutAccess()})
		})
	}
	all.Wait()
	if err := errors.Join(faults...); err != nil {
		return nil, nil, nil, err
	}
	if after, err = r.look(); err != nil {
		return nil, nil, nil, err
	}
	for i, a := range answers {
		steps[i].together, steps[i].before, steps[i].after = true, before, after
		r.arrive(a, steps[i])
	}
	return answers, before, after, nil
}

func (r *run) eightAtOnce() error {
	if err := r.ready(); err != nil {
		return err
	}
	answers, before, after, err := r.eightTogether()
	if err != nil {
		return err
	}
	successors, served := map[string]bool{}, 0
	for _, a := range answers {
		if a.status == http.StatusOK {
			served++
		}
		successors[a.set.Refresh] = true
	}
	r.find(served == len(answers), fmt.Sprintf("Requests that got 200: %d of 8.", served))
	r.find(after.Renewals == before.Renewals+1, fmt.Sprintf("Renewals of the session: %d.", after.Renewals-before.Renewals))
	r.find(len(successors) == 1 && !successors[""], fmt.Sprintf("Different refresh tokens in the eight responses: %d.", len(successors)))
	return nil
}

func (r *run) lostResponse() error {
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
	r.find(lost.status == http.StatusOK && lost.set.Refresh != "", "The first answer brought new tokens, but the browser never got them.")
	r.find(again.status == http.StatusOK && again.set.Refresh == lost.set.Refresh, "The second brought the same refresh token: nobody is logged out by a bad connection.")
	return nil
}
