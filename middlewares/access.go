package middlewares

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// Access holds the groups that routes are registered in. A feature's routes belong in Private unless anybody may call
// them.
type Access struct {
	Open      Group // anybody; the request isn't authenticated at all
	Public    Group // anybody
	Guest     Group // pages for visitors who are not logged in
	Private   Group // logged-in users
	Sensitive Group // logged-in users; session and account are read past the cache
	Admin     Group // administrators; read past the cache too

	Forms *Forms // the forms registered in these groups
}

// Group registers routes behind the checks of one kind of access.
type Group struct {
	router   gin.IRouter
	auth     *Auth
	names    Names
	guard    gin.HandlerFunc
	writes   gin.HandlerFunc // the limit on changes, if any
	once     gin.HandlerFunc // see Auth.Once; nil where nobody is logged in: keys belong to users
	limits   []gin.HandlerFunc
	noRenew  bool
	download bool
	confirm  bool // see Confirmed
	minor    bool // see Minor
	maxBytes int64
	long     []gin.HandlerFunc // for requests that may take longer than others
	forms    *Forms
	page     string // see At
}

// Names maps API routes to other paths: "PUT /likes/v/:id" to the paths that the API uses, if they differ from the
// route's own.
type Names map[string][]string

// NewAccess makes the groups of a router.
func NewAccess(router gin.IRouter, auth *Auth, names Names) Access {
	return newAccess(router, auth, names, &Forms{pages: map[string]bool{}, at: map[string]string{}})
}

// For makes the same groups for the users of another Auth.
func (a Access) For(auth *Auth) Access { return newAccess(a.Open.router, auth, nil, a.Forms) }

func newAccess(router gin.IRouter, auth *Auth, names Names, forms *Forms) Access {
	group := func(guard gin.HandlerFunc) Group {
		return Group{router: router, auth: auth, names: names, guard: guard, forms: forms, maxBytes: input.EncodedLimit}
	}
	users := func(guard gin.HandlerFunc) Group {
		g := group(guard)
		g.writes, g.once = auth.Limits.Writes, auth.Once
		return g
	}
	return Access{
		Open:      group(nil),
		Public:    group(AllowAnyone),
		Guest:     group(GuestOnly),
		Private:   users(RequireUser),
		Sensitive: users(auth.RequireFresh),
		Admin:     users(auth.RequireRole(models.Admin)),
		Forms:     forms,
	}
}

// NoRenew is the group for slow responses: see VerifyJWTNoRenew.
func (g Group) NoRenew() Group {
	g.noRenew = true
	return g
}

// Upload is the group for requests with files, which may take long.
func (g Group) Upload(maxBytes int64) Group {
	g.noRenew = true
	g.maxBytes = maxBytes + 2*input.TextLimit
	g.long = []gin.HandlerFunc{g.auth.Upload, g.auth.WhileLive, Progress}
	return g
}

// Download is the group for responses that may take long. Pages of other sites can't make a user's browser fetch their
// private downloads (see ownSite).
func (g Group) Download() Group {
	g.noRenew = true
	g.download = true
	g.long = []gin.HandlerFunc{Progress}
	return g
}

// Stream is the group for event streams. Each viewer may have a few.
func (g Group) Stream() Group {
	g.noRenew = true
	g.long = []gin.HandlerFunc{g.auth.Stream, Progress}
	return g
}

// Confirmed is the group for actions that a stolen token alone must not allow: the user has logged in, or confirmed
// their identity, within the last ten minutes. Mark both the page with the form and the route it is sent to, so that
// nobody fills in the form in vain. A form with text that would be lost asks for the password itself
// (App.checkPassword) instead.
func (g Group) Confirmed() Group {
	g.confirm = true
	return g
}

// Minor is the group for requests that browsers send by themselves while somebody watches or reads. They must change
// nothing that processes cache: their senders are still served from the cache.
func (g Group) Minor() Group {
	g.minor = true
	return g
}

// Limit is the group for requests that have an additional limit.
func (g Group) Limit(limit gin.HandlerFunc) Group {
	g.limits = append(slices.Clone(g.limits), limit)
	return g
}

// At is the group for requests from forms on the given page, for paths that don't begin with the page's path. The page
// may use the path's parameters.
func (g Group) At(page string) Group {
	g.page = page
	return g
}

// Page registers an action at a page's path.
func (g Group) Page(method, path string, action respond.Action) {
	g.forms.add(method, path, g.page)
	g.handle(method, path, action)
}

// API registers an action under /api/v1: at the path, or where the table of names puts it.
func (g Group) API(method, path string, action respond.Action) {
	paths, renamed := g.names[method+" "+path]
	if !renamed {
		paths = []string{path}
	}
	for _, path := range paths {
		g.handle(method, "/api/v1"+path, action)
	}
}

// Both registers an action for both its page or form and the API.
func (g Group) Both(method, path string, action respond.Action) {
	g.Page(method, path, action)
	g.API(method, path, action)
}

func (g Group) handle(method, path string, action respond.Action) {
	verify := g.auth.VerifyJWT
	if g.noRenew {
		verify = g.auth.VerifyJWTNoRenew
	}
	var chain []gin.HandlerFunc
	if g.guard != nil {
		chain = append(chain, verify, g.guard)
	}
	if g.confirm {
		chain = append(chain, g.auth.RequireProof)
	}
	if g.download && g.once != nil {
		chain = append(chain, ownSite)
	}
	if g.writes != nil && method != http.MethodGet {
		chain = append(chain, g.writes)
	}
	chain = append(chain, g.limits...)
	if method != http.MethodGet && !g.minor {
		chain = append(chain, g.auth.noteOwnChange)
	}
	chain = append(chain, BodyLimit(g.maxBytes))
	chain = append(chain, g.long...)
	if g.once != nil && method == http.MethodPost {
		chain = append(chain, g.once)
	}
	chain = append(chain, respond.Handle(action))
	g.router.Handle(method, path, chain...)
	if method == http.MethodGet {
		g.router.Handle(http.MethodHead, path, chain...)
	}
}

// AllowAnyone lets everybody pass, except requests with an invalid token in the Authorization header: they claim to be
// somebody and must learn that they are not.
func AllowAnyone(c *gin.Context) {
	if id := Current(c); id.State == Dead && id.ByHeader {
		refuse(c, id)
	}
}

// RequireUser lets logged-in users pass.
func RequireUser(c *gin.Context) {
	if id := Current(c); id.State != SignedIn {
		refuse(c, id)
	}
}

// RequireFresh is RequireUser for actions for which an identity up to five seconds old isn't good enough: it reads the
// session and the user past the cache.
func (a *Auth) RequireFresh(c *gin.Context) {
	id := Current(c)
	if id.State == SignedIn {
		fresh, err := a.reload(c, id)
		if err != nil {
			respond.Error(c, err)
			return
		}
		id = fresh
		c.Set(identityKey, id)
	}
	RequireUser(c)
}

func (a *Auth) reload(c *gin.Context, id Identity) (Identity, error) {
	s, err := a.Sessions.ByID(c, id.Session.ID)
	if err != nil {
		return dead(err)
	}
	u, err := a.Users.ByID(c, s.User)
	if err != nil || u.DisabledAt != nil {
		return dead(err)
	}
	id.Session, id.User = s, u
	return id, nil
}

// RequireRole lets users with the role pass. The role is read from the database, not from the token: a user who was
// demoted a second ago no longer has it.
func (a *Auth) RequireRole(role string) gin.HandlerFunc {
	return func(c *gin.Context) {
		a.RequireFresh(c)
		if !c.IsAborted() && !Current(c).User.HasRole(role) {
			respond.Error(c, apperr.New(apperr.Forbidden, "You don't have access to this."))
		}
	}
}

// GuestOnly redirects logged-in users away from pages that are for others. The forms behind these pages, and the API,
// accept everybody.
func GuestOnly(c *gin.Context) {
	if c.Request.Method == http.MethodGet && Current(c).State == SignedIn && c.Query(TwiceQuery) == "" && !respond.WantsJSON(c) {
		_ = respond.Redirect(c, "/")
		c.Abort()
	}
}

// TwiceQuery tells the login page the name of a cookie that was sent twice to another page. It may not be sent twice to
// the login page itself, which would then redirect back.
const TwiceQuery = "twice"

func refuse(c *gin.Context, id Identity) {
	if id.Twice != "" && !respond.WantsJSON(c) {
		login := respond.LoginPath(c)
		sep := map[bool]string{true: "&", false: "?"}[strings.Contains(login, "?")]
		_ = respond.Redirect(c, login+sep+TwiceQuery+"="+id.Twice)
		c.Abort()
		return
	}
	challenge := `Bearer realm="tokentube"`
	if id.State == Dead {
		challenge += `, error="invalid_token"` // RFC 6750 §3.1
	}
	c.Header("WWW-Authenticate", challenge)
	message := "Log in first."
	if id.Twice != "" {
		message = TwiceMessage(id.Twice)
	}
	respond.Error(c, apperr.New(apperr.Unauthorized, "%s", message))
}
