package middlewares

import (
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

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
}

// Group registers routes behind the checks of one kind of access.
type Group struct {
	router   gin.IRouter
	auth     *Auth
	guard    gin.HandlerFunc
	noRenew  bool
	maxBytes int64
	patience time.Duration
}

// NewAccess makes the groups of a router.
func NewAccess(router gin.IRouter, auth *Auth) Access {
	group := func(guard gin.HandlerFunc) Group {
		return Group{router: router, auth: auth, guard: guard, maxBytes: 2 * input.TextLimit, patience: 30 * time.Second}
	}
	return Access{
		Open:      group(nil),
		Public:    group(AllowAnyone),
		Guest:     group(GuestOnly),
		Private:   group(RequireUser),
		Sensitive: group(auth.RequireFresh),
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
	chain = append(chain, BodyLimit(g.maxBytes), respond.Handle(action))
	g.router.Handle(method, path, chain...)
	if method == http.MethodGet {
		g.router.Handle(http.MethodHead, path, chain...)
	}
}
