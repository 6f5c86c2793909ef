package middlewares

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/ratelimit"
	"tokentube/utils/respond"
)

// All limits of the site. Each is a quota that may be used up in one burst, and that refills evenly over its window.
var (
	// Wrong passwords for one account from one network; and separately for each browser that has logged in to the
	// account before.
	loginLimit = ratelimit.Limit{Name: "login", Quota: 10, Window: 15 * time.Minute}
	// Wrong passwords from one network, for any account: stolen passwords are tried once on each of many accounts
	// (credential stuffing).
	networkLimit = ratelimit.Limit{Name: "login-network", Quota: 100, Window: 15 * time.Minute}
	// The same for one machine or household, so that some are left for its neighbours.
	hostLimit = ratelimit.Limit{Name: "login-host", Quota: 50, Window: 15 * time.Minute}
	// Wrong passwords for one account, wherever they come from (NIST SP 800-63B §3.2.2: no more than 100).
	accountLimit = ratelimit.Limit{Name: "login-account", Quota: 100, Window: time.Hour}
	// Wrong authenticator codes for one account, from everywhere except its known browsers: whoever sends them knows
	// the password.
	codeLimit = ratelimit.Limit{Name: "code", Quota: 20, Window: 24 * time.Hour}
	// Correct passwords: each costs as much work as a wrong one.
	rightLimit        = ratelimit.Limit{Name: "logins", Quota: 60, Window: 15 * time.Minute}
	rightNetworkLimit = ratelimit.Limit{Name: "logins-network", Quota: 300, Window: 15 * time.Minute}
	// New accounts from one network, and checks whether a name is taken.
	registerLimit = ratelimit.Limit{Name: "register", Quota: 10, Window: time.Hour}
	// Mails requested by one network, and links from mails tried by it.
	mailLimit = ratelimit.Limit{Name: "mails", Quota: 20, Window: time.Hour}
	// Passkey challenges requested by one user, or by one network without a login: each is stored for a while.
	challengeLimit = ratelimit.Limit{Name: "challenge", Quota: 300, Window: 15 * time.Minute}
	// Invalid refresh tokens from one network.
	renewalLimit = ratelimit.Limit{Name: "renewal", Quota: 30, Window: 5 * time.Minute}
	// Changes by one user.
	writeLimit = ratelimit.Limit{Name: "write", Quota: 120, Window: time.Minute}
	// Comments by one user: other people have to read them.
	commentLimit = ratelimit.Limit{Name: "comment", Quota: 30, Window: 10 * time.Minute}
	// Exports of a user's data: each reads all of it.
	exportLimit = ratelimit.Limit{Name: "export", Quota: 5, Window: time.Hour}
	// Reports by one user.
	reportLimit = ratelimit.Limit{Name: "report", Quota: 20, Window: time.Hour}
	// Counted views: of one post by one viewer, by one viewer, from one network, and in total.
	viewOnceLimit    = ratelimit.Limit{Name: "view", Quota: 1, Window: time.Hour}
	viewerLimit      = ratelimit.Limit{Name: "views", Quota: 300, Window: time.Hour}
	viewNetworkLimit = ratelimit.Limit{Name: "views-network", Quota: 1_000, Window: time.Hour}
	viewLimit        = ratelimit.Limit{Name: "views-all", Quota: 6_000, Window: time.Minute}
	// Buttons of the Token lab, pressed by one user, or from one network by visitors who are not logged in (a whole
	// class may share a network); and by all such visitors together.
	labLimit    = ratelimit.Limit{Name: "lab", Quota: 300, Window: 10 * time.Minute}
	labAllLimit = ratelimit.Limit{Name: "lab-all", Quota: 3_000, Window: 10 * time.Minute}
)

// keysKept is how many keys each in-process limit tracks; they take about 2 MB.
const keysKept = 50_000

// tally counts against one limit: in this process or, if other processes share the data, in the database.
type tally struct {
	ratelimit.Limit
	local    *ratelimit.Limiter // nil: counted in the database
	attempts *models.Attempts
}

func (t tally) take(ctx context.Context, who ...string) (ratelimit.State, error) {
	if t.local != nil {
		return t.local.Take(key(who)), nil
	}
	return t.attempts.Take(ctx, t.Limit, who...)
}

func (t tally) giveBack(ctx context.Context, who ...string) error {
	if t.local != nil {
		t.local.GiveBack(key(who))
		return nil
	}
	return t.attempts.GiveBack(ctx, t.Limit, who...)
}

func key(who []string) string { return strings.Join(who, "\x00") }

// Limits enforces the limits. A nil *Limits limits nothing (RATE_LIMIT=false).
type Limits struct {
	attempts *models.Attempts
	key      []byte // signs the device cookies

	// Rare, or protecting an account: exact across all processes.
	hosts, accounts, rights, rightNetworks       tally
	registers, mails, comments, exports, reports tally
	// Would cost a write for each request: each process counts for itself.
	renewals, writes, challenges              *ratelimit.Limiter
	viewsOnce, viewers, viewNetworks, viewAll *ratelimit.Limiter
	labs, labAll                              *ratelimit.Limiter
}

// NewLimits makes the counters.
func NewLimits(attempts *models.Attempts, key string, now func() time.Time) *Limits {
	limiter := func(l ratelimit.Limit) *ratelimit.Limiter { return ratelimit.New(l, keysKept, now) }
	count := func(l ratelimit.Limit) tally {
		if attempts.Shared() {
			return tally{Limit: l, attempts: attempts}
		}
		return tally{Limit: l, local: limiter(l)}
	}
	return &Limits{
		attempts: attempts, key: []byte("device:" + key),
		hosts: count(hostLimit), accounts: count(accountLimit), rights: count(rightLimit), rightNetworks: count(rightNetworkLimit),
		registers: count(registerLimit), mails: count(mailLimit), comments: count(commentLimit), exports: count(exportLimit), reports: count(reportLimit),
		renewals: limiter(renewalLimit), writes: limiter(writeLimit), challenges: limiter(challengeLimit),
		viewsOnce: limiter(viewOnceLimit), viewers: limiter(viewerLimit), viewNetworks: limiter(viewNetworkLimit), viewAll: limiter(viewLimit),
		labs: limiter(labLimit), labAll: limiter(labAllLimit),
	}
}

// Registers limits how often a network may register.
func (l *Limits) Registers(c *gin.Context) {
	if l != nil {
		l.registers.stop(c, network(c))
	}
}

// Mails limits how often a network may request mails, or try secrets that were sent by mail.
func (l *Limits) Mails(c *gin.Context) {
	if l != nil {
		l.mails.stop(c, network(c))
	}
}

// Challenges limits how often a viewer may request a passkey challenge.
func (l *Limits) Challenges(c *gin.Context) {
	if l != nil {
		stopAt(c, l.challenges.Take(Viewer(c)))
	}
}

// Viewer identifies the viewer: a user, or everybody in a network who is not logged in. A browser's own identifier
// doesn't count: it can be made up.
func Viewer(c *gin.Context) string {
	if user := UserID(c); !user.IsZero() {
		return user.Hex()
	}
	return network(c)
}

// View reports whether a view may be counted. Over the limit, the post is still shown.
func (l *Limits) View(c *gin.Context, post string) bool {
	if l == nil {
		return true
	}
	viewer := Viewer(c)
	return l.viewsOnce.Take(viewer+" "+post).OK && l.viewers.Take(viewer).OK &&
		l.viewNetworks.Take(network(c)).OK && l.viewAll.Take("").OK
}

// Renewals limits how often a network may send invalid refresh tokens; valid ones don't count. It applies to renewals
// that a client requests, not to those within VerifyJWT: so no neighbour can log a browser out.
func (l *Limits) Renewals(c *gin.Context) {
	if l == nil {
		return
	}
	if stopAt(c, l.renewals.Look(network(c))); c.IsAborted() {
		return
	}
	c.Next()
	if c.Writer.Status() == http.StatusUnauthorized {
		l.renewals.Take(network(c))
	}
}

// Writes limits how often a user may change something. It runs after the guard: there is a user.
func (l *Limits) Writes(c *gin.Context) {
	if l != nil {
		stopAt(c, l.writes.Take(UserID(c).Hex()))
	}
}

// Reports limits how often a user may report something. It runs after the guard.
func (l *Limits) Reports(c *gin.Context) {
	if l != nil {
		l.reports.stop(c, UserID(c).Hex())
	}
}

// Comments limits how often a user may comment. It runs after the guard.
func (l *Limits) Comments(c *gin.Context) {
	if l != nil {
		l.comments.stop(c, UserID(c).Hex())
	}
}

// Exports limits how often a user may export their data. It runs after the guard.
func (l *Limits) Exports(c *gin.Context) {
	if l != nil && c.Request.Method != http.MethodHead {
		l.exports.stop(c, UserID(c).Hex())
	}
}

// Labs limits how often a viewer may press a button of the Token lab, which is open to everybody.
func (l *Limits) Labs(c *gin.Context) {
	if l == nil {
		return
	}
	stopAt(c, l.labs.Take(Viewer(c)))
	if !c.IsAborted() && UserID(c).IsZero() {
		stopAt(c, l.labAll.Take(""))
	}
}

func network(c *gin.Context) string { return ratelimit.Network(ClientIP(c)) }

// stop counts a request, and refuses it if it exceeds the limit.
func (t tally) stop(c *gin.Context, who string) {
	state, err := t.take(c, who)
	if err != nil {
		respond.Error(c, err)
		return
	}
	stopAt(c, state)
}

// stopAt reports the limit's state to the client, and refuses the request if it exceeds the limit.
func stopAt(c *gin.Context, s ratelimit.State) {
	tell(c, s)
	if !s.OK {
		Metrics(c).Refusal(s.Name)
		respond.Error(c, tooMany(s, "Too many requests. Wait a moment, then try again."))
	}
}

func tell(c *gin.Context, states ...ratelimit.State) {
	policy, current := ratelimit.Fields(states...)
	c.Header("RateLimit-Policy", policy)
	c.Header("RateLimit", current)
}

func tooMany(s ratelimit.State, message string) error {
	e := apperr.New(apperr.RateLimited, "%s", message)
	e.RetryAfter = s.Wait
	return e
}
