package middlewares

import (
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/models"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// Access are the groups that routes are put in. A feature's routes go to Private
// unless anybody may call them.
type Access struct {
	Open      Group // anybody, and nobody is asked who they are
	Public    Group // anybody
	Guest     Group // pages for those who are not logged in
	Private   Group // users
	Sensitive Group // users, whose session and account are read past the cache
	Admin     Group // administrators, read likewise
}

// Group registers routes behind the checks of one kind of access.
type Group struct {
	router   gin.IRouter
	auth     *Auth
	guard    gin.HandlerFunc
	writes   gin.HandlerFunc // the limit of what changes something, if there is one
	limits   []gin.HandlerFunc
	noRenew  bool
	maxBytes int64
	patience time.Duration
}

// NewAccess makes the groups of a router.
func NewAccess(router gin.IRouter, auth *Auth) Access {
	group := func(guard, writes gin.HandlerFunc) Group {
		return Group{router: router, auth: auth, guard: guard, writes: writes, maxBytes: 2 * input.TextLimit, patience: 30 * time.Second}
	}
	return Access{
		Open:      group(nil, nil),
		Public:    group(AllowAnyone, nil),
		Guest:     group(GuestOnly, nil),
		Private:   group(RequireUser, auth.Limits.Writes),
		Sensitive: group(auth.RequireFresh, auth.Limits.Writes),
		Admin:     group(auth.RequireRole(models.Admin), auth.Limits.Writes),
	}
}

// NoRenew is the group for answers that may come late: see VerifyJWTNoRenew.
func (g Group) NoRenew() Group {
	g.noRenew = true
	return g
}

// Upload is the group for requests with files, which may be long under way.
func (g Group) Upload(maxBytes int64) Group {
	g.noRenew = true
	g.maxBytes = maxBytes + 2*input.TextLimit
	g.patience = time.Hour
	return g
}

// Download is the group for answers that may be long under way.
func (g Group) Download() Group {
	g.noRenew = true
	g.patience = time.Hour
	return g
}

// Limit is the group for requests that also have a limit of their own.
func (g Group) Limit(limit gin.HandlerFunc) Group {
	g.limits = append(slices.Clone(g.limits), limit)
	return g
}

// Page registers an action at a page's path.
func (g Group) Page(method, path string, action respond.Action) { g.handle(method, path, action) }

// API registers an action under /api/v1.
func (g Group) API(method, path string, action respond.Action) {
	g.handle(method, "/api/v1"+path, action)
}

// Both registers an action at one path for its form and for the API.
func (g Group) Both(method, path string, action respond.Action) {
	g.Page(method, path, action)
	g.API(method, path, action)
}

func (g Group) handle(method, path string, action respond.Action) {
	verify := g.auth.VerifyJWT
	if g.noRenew {
		verify = g.auth.VerifyJWTNoRenew
	}
	chain := []gin.HandlerFunc{Timeout(g.patience, g.patience)}
	if g.guard != nil {
		chain = append(chain, verify, g.guard)
	}
	if g.writes != nil && method != http.MethodGet {
		chain = append(chain, g.writes)
	}
	chain = append(chain, g.limits...)
	chain = append(chain, BodyLimit(g.maxBytes), respond.Handle(action))
	g.router.Handle(method, path, chain...)
	if method == http.MethodGet {
		g.router.Handle(http.MethodHead, path, chain...)
	}
}
