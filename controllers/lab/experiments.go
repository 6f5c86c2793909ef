package lab

import (
	"cmp"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tokentube/middlewares"
	"tokentube/utils/source"
)

// experiment is a button of the lab: what it does, and the code that decides the outcome, on this site and in the model
// of the usual way.
type experiment struct {
	Button
	Code  []Shown `json:"code"`
	Usual []Shown `json:"usual"`
	do    func(*run)
}

//go:embed experiments.json
var experimentTable []byte

// readExperiments reads the table and finds the code that it names.
func readExperiments(code *source.Code) (all []experiment, err error) {
	if err := json.Unmarshal(experimentTable, &all); err != nil {
		return nil, err
	}
	for i := range all {
		e := &all[i]
		e.do = map[string]func(*run){
			"expire": (*run).expire, "tamper-header": (*run).tamperHeader, "tamper-cookie": (*run).tamperCookie,
			"eight-at-once": (*run).eightAtOnce, "lost-response": (*run).lostResponse, "replay-in-grace": (*run).replayInGrace,
			"replay-after-grace": (*run).replayAfterGrace, "logout-replay": (*run).logoutReplay, "password-change": (*run).passwordChange,
		}[e.Name]
		if err := cmp.Or(find(code, e.Code), find(code, e.Usual)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (r *run) expire() {
	r.ready()
	good := r.send(request{title: "The access token is valid"})
	r.wait(expiry(r.browser.Access), "the access token to expire")
	again := r.send(request{title: "The same request again"})
	after := r.send(request{title: "And once more, with what the browser has now"})
	r.ours(good.ok() && good.set == middlewares.Pair{}, "A valid access token opens the door, and no cookie is set.")
	r.ours(again.ok() && again.set.Access != "" && again.set.Refresh != "", "When it has expired, the same request succeeds too, and brings two new tokens.")
	r.ours(after.ok() && after.set == middlewares.Pair{}, "With these, everything goes on as before.")
	r.usual(good.ok(), "A valid access token opens the door.")
	r.usual(again.status == http.StatusInternalServerError && after.status == again.status,
		"An expired one gets %d, as if the server were broken, both times that it is sent: it's left to the client to guess that it should renew.", again.status)
}

// tamper changes the username and the roles in the payload of the browser's access token.
func (r *run) tamper() string {
	r.ready()
	parts, claims, err := takeApart(r.browser.Access)
	if r.err != nil || err != nil {
		return ""
	}
	claims["username"], claims["roles"] = json.RawMessage(`"admin"`), json.RawMessage(`["admin"]`)
	payload, _ := json.Marshal(claims) // can't fail: it was parsed from JSON
	parts[1] = base64.RawURLEncoding.EncodeToString(payload)
	r.changed = strings.Join(parts, ".")
	r.say("The payload now says that the user is “admin” and has the role “admin”. The signature is the old one")
	return r.changed
}

const asBroken = "Refused, but with %d: a forged token looks like a fault of the server."

func (r *run) tamperHeader() {
	a := r.send(request{title: "The tampered token in the Authorization header", header: r.tamper()})
	r.ours(a.status == http.StatusUnauthorized, "The signature doesn't fit the payload: refused with %d.", a.status)
	r.ours(strings.Contains(a.header.Get("WWW-Authenticate"), "invalid_token"), "The response says why: invalid_token (RFC 6750).")
	r.usual(a.status == http.StatusInternalServerError, asBroken, a.status)
	r.usual(a.header.Get("WWW-Authenticate") == "", "The response doesn't say why.")
}

func (r *run) tamperCookie() {
	changed := r.tamper()
	a := r.send(request{title: "The tampered token in its cookie, beside the refresh token", cookies: &middlewares.Pair{Access: changed, Refresh: r.browser.Refresh}})
	var body struct {
		Data struct {
			Username string `json:"username"`
		} `json:"data"`
	}
	_ = json.Unmarshal(a.body.Bytes(), &body) // missing fields count as wrong
	_, claims, _ := takeApart(r.browser.Access)
	r.ours(a.ok() && a.set.Access != "", "The tampered token is ignored, and the refresh token renews.")
	r.ours(a.ok() && string(claims["username"]) == `"`+body.Data.Username+`"`, "The response is for @%s: what the tampered payload says isn't believed.", body.Data.Username)
	r.usual(a.status == http.StatusInternalServerError, asBroken, a.status)
	r.usual(a.set == middlewares.Pair{}, "The refresh token beside it is valid, and isn't looked at.")
}

const renewal = "With the refresh token alone, for new tokens"

// renew requests new tokens with the sender's refresh token.
func (r *run) renew(by *middlewares.Pair, title string) *answer {
	return r.send(request{title: title, method: http.MethodPost, path: "/renew", by: by, cookies: refreshOnly(*by)})
}

func (r *run) eightAtOnce() {
	r.ready()
	before := r.look()
	answers := r.sendAtOnce(8, request{title: renewal, method: http.MethodPost, path: "/renew", cookies: refreshOnly(r.browser)})
	renewals, served, successors := r.look().renewals-before.renewals, 0, map[string]bool{}
	for _, a := range answers {
		if a.ok() {
			served++
			successors[a.set.Refresh] = true
		}
	}
	refused := len(answers) - served
	r.ours(served == len(answers), "Requests that succeeded: %d of %d.", served, len(answers))
	r.ours(renewals == 1, "Renewals of the session: %d.", renewals)
	r.ours(len(successors) == 1 && !successors[""], "Different refresh tokens in the %d responses: %d.", served, len(successors))
	r.usual(refused > 0, "Requests that were refused with 401: %d of %d.", refused, len(answers))
	r.usual(refused > 0, "A client that shows the login when its renewal is refused, as most do, has just logged somebody out who did nothing wrong.")
}

func (r *run) lostResponse() {
	r.ready()
	lost := r.send(request{title: renewal + ". The response gets lost", method: http.MethodPost, path: "/renew", cookies: refreshOnly(r.browser), lost: true})
	again := r.renew(&r.browser, "The browser still has the old refresh token, and asks again")
	r.ours(lost.ok() && lost.set.Refresh != "", "The first response carried new tokens, but the browser never got them.")
	r.ours(again.ok() && again.set.Refresh == lost.set.Refresh, "The second carried the same refresh token: a bad connection logs nobody out.")
	r.usual(lost.ok() && lost.set.Refresh != "", "The first response carried new tokens, but the browser never got them.")
	r.usual(again.status == http.StatusUnauthorized, "The second is refused with %d: the only refresh token that the browser has is worth nothing. A bad connection has logged somebody out.", again.status)
}

func (r *run) replayInGrace() {
	r.ready()
	old := refreshOnly(r.browser)
	renewed := r.renew(&r.browser, renewal)
	r.send(request{title: "The new tokens are in use: from now on the old refresh token is the replaced one"})
	replay := r.send(request{title: "The old refresh token comes back at once", method: http.MethodPost, path: "/renew", cookies: old})
	end := r.look()
	r.ours(replay.ok(), "Within the grace period, it is accepted.")
	r.ours(replay.set.Refresh != "" && replay.set.Refresh == renewed.set.Refresh, "It brings the same successor: there are never two lines of tokens.")
	r.ours(!end.over, "The session goes on.")
	r.usual(replay.status == http.StatusUnauthorized, "Refused with %d: there is no grace. The slower tab shows the login.", replay.status)
	r.usual(end.newest != "", "Nothing else happens: to this server, a slow tab and a thief are the same, and neither matters.")
}

func (r *run) replayAfterGrace() {
	r.ready()
	r.thief.Refresh = r.browser.Refresh
	r.say("Somebody copies the refresh token")
	first := r.renew(&r.thief, "The thief renews first")
	r.send(request{title: "And is in, with the new tokens", by: &r.thief})
	r.wait(r.look().grace, "the old refresh token's grace to end")
	owner := r.renew(&r.browser, "The owner comes back, with the token that was copied")
	end := r.look()
	thief := r.send(request{title: "The thief goes on", by: &r.thief})
	r.ours(first.ok() && owner.status == http.StatusUnauthorized, "A replaced token comes back: one of the two who hold it is a thief. It is refused with %d.", owner.status)
	r.ours(end.over, "The session was ended, because a replaced token was used again.")
	r.ours(thief.status == http.StatusUnauthorized, "The thief's tokens are refused too. The owner logs in again, the thief can't.")
	r.usual(owner.status == http.StatusUnauthorized, "The owner is refused with %d, and sees a login like any other.", owner.status)
	r.usual(thief.ok() && !end.over, "The thief stays: the newest tokens are theirs, and nobody is told.")
}

func (r *run) logoutReplay() {
	r.ready()
	r.thief = r.browser
	r.say("Somebody copies both tokens")
	out := r.send(request{title: "Log out", method: http.MethodPost, path: "/logout"})
	access := r.send(request{title: "The thief shows the access token", by: &r.thief, header: r.thief.Access})
	refresh := r.renew(&r.thief, "And the refresh token")
	r.ours(out.ok() && r.browser == middlewares.Pair{}, "The session is ended, and both cookies are cleared.")
	r.ours(access.status == http.StatusUnauthorized, "The access token is refused, though it hasn't expired: its session is over.")
	r.ours(refresh.status == http.StatusUnauthorized, "The refresh token renews nothing.")
	r.usual(out.ok() && r.browser == middlewares.Pair{}, "Both cookies are cleared, and the refresh token in the user's record.")
	r.usual(access.ok(), "The access token still opens everything, until it expires by itself.")
	r.usual(refresh.status == http.StatusUnauthorized, "The refresh token renews nothing.")
}

func (r *run) passwordChange() {
	r.ready()
	r.thief = r.browser
	r.say("Somebody copies both tokens")
	change := r.send(request{title: "The owner changes the password", method: http.MethodPost, path: "/password"})
	access := r.send(request{title: "The thief shows the access token", by: &r.thief, header: r.thief.Access})
	refresh := r.renew(&r.thief, "And the refresh token")
	owner := r.send(request{title: "And the owner goes on"})
	later := r.renew(&r.browser, "And renews")
	r.ours(change.ok() && change.set.Refresh != "", "The session is ended, and the owner is given a new one. (The lab ends its own sessions only, and leaves the password as it is.)")
	r.ours(access.status == http.StatusUnauthorized && refresh.status == http.StatusUnauthorized, "Both copies are refused.")
	r.ours(owner.ok() && later.ok(), "The owner stays logged in, with new tokens.")
	r.usual(change.set == middlewares.Pair{} && access.ok(), "No token changes: the copied access token is accepted.")
	r.usual(refresh.ok(), "The copied refresh token renews: the thief has the newest tokens now.")
	r.usual(owner.ok() && later.status == http.StatusUnauthorized, "The owner's own renewal is refused with %d: changing the password has helped the thief only.", later.status)
}

// expiry is when a token claims to expire.
func expiry(raw string) (at time.Time) {
	_, claims, _ := takeApart(raw)
	var seconds int64
	if _, err := fmt.Sscan(string(claims["exp"]), &seconds); err == nil {
		at = time.Unix(seconds, 0)
	}
	return at
}
