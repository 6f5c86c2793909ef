package middlewares

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/ratelimit"
	"tokentube/utils/respond"
)

// The limits of the site, all of them. Each is a quota that may be used at once,
// and refills evenly over its window.
var (
	// Wrong passwords for one account from one network; and the same again for
	// each browser that has logged in to the account before.
	loginLimit = ratelimit.Limit{Name: "login", Quota: 10, Window: 15 * time.Minute}
	// Wrong passwords from one network, whatever the account: lists of stolen
	// passwords are tried once on each of many accounts.
	networkLimit = ratelimit.Limit{Name: "login-network", Quota: 100, Window: 15 * time.Minute}
	// Accounts from one network, and questions whether a name is taken.
	registerLimit = ratelimit.Limit{Name: "register", Quota: 10, Window: time.Hour}
	// Refresh tokens from one network that opened nothing.
	renewalLimit = ratelimit.Limit{Name: "renewal", Quota: 30, Window: 5 * time.Minute}
	// Changes by one user.
	writeLimit = ratelimit.Limit{Name: "write", Quota: 120, Window: time.Minute}
)

// keysKept is how many keys each limit in this process keeps: some
// 4 MB.
const keysKept = 100_000

// Limits count. A nil *Limits limits nothing (RATE_LIMIT=false).
type Limits struct {
	attempts                    *models.Attempts
	key                         []byte // of the device cookies
	registers, renewals, writes *ratelimit.Limiter
}

// NewLimits makes the counters: of logins in the database, for all processes, the
// others in this one.
func NewLimits(attempts *models.Attempts, key string, now func() time.Time) *Limits {
	return &Limits{
		attempts: attempts, key: []byte("device:" + key),
		registers: ratelimit.New(registerLimit, keysKept, now),
		renewals:  ratelimit.New(renewalLimit, keysKept, now),
		writes:    ratelimit.New(writeLimit, keysKept, now),
	}
}

// Registers limits how often a network may register.
func (l *Limits) Registers(c *gin.Context) {
	if l != nil {
		stopAt(c, l.registers.Take(network(c)))
	}
}

// Renewals limits how often a network may send refresh tokens that open nothing;
// good ones do not count. It stands before the renewals that a client asks for,
// and not before those within VerifyJWT: no neighbour can log a browser out.
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

// Writes limits how often a user may change something. It comes after the guard:
// there is a user.
func (l *Limits) Writes(c *gin.Context) {
	if l != nil {
		stopAt(c, l.writes.Take(UserID(c).Hex()))
	}
}

func network(c *gin.Context) string { return ratelimit.Network(ClientIP(c)) }

// stopAt tells the client how it stands, and refuses when that is at the limit.
func stopAt(c *gin.Context, s ratelimit.State) {
	tell(c, s)
	if !s.OK {
		respond.Error(c, tooMany(s, "That was too much at once. Please wait a little and try again."))
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
