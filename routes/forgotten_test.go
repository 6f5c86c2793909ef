package routes_test

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"

	"tokentube/e2e/testsite"
	"tokentube/middlewares"
	"tokentube/utils/respond"
)

// The checks, which don't know the features, detect a feature without one of its guards.
func TestForgottenGuardsAreFound(t *testing.T) {
	show := func(c *gin.Context) error { return respond.Show(c, "learn/index", gin.H{"lessons": nil}) }
	for name, mistake := range map[string]struct {
		check  string
		add    func(*testsite.Site, middlewares.Access)
		faults []string // the beginning of each
	}{
		"in no group": {"the anonymous are refused", func(site *testsite.Site, _ middlewares.Access) {
			site.Engine.DELETE("/boards/:boardId", site.Auth.VerifyJWT, respond.Handle(show))
		}, []string{"DELETE /boards/:boardId lets in nobody", "DELETE /boards/:boardId as a page"}},
		"in the wrong group": {"the anonymous are refused", func(_ *testsite.Site, access middlewares.Access) {
			access.Public.Both(http.MethodGet, "/diary", show)
		}, []string{"GET /diary lets in nobody", "GET /diary as a page", "GET /api/v1/diary lets in nobody"}},
		"before the engine's own checks": {"other sites are refused", func(site *testsite.Site, access middlewares.Access) {
			all := site.Engine.Handlers
			site.Engine.Handlers = all[:len(all)-1]
			access.Private.Page(http.MethodPost, "/boards", show)
			site.Engine.Handlers = all
		}, []string{"POST /boards takes Sec-Fetch-Site cross-site", "POST /boards takes Origin https://evil.example"}},
		"an export that any page may start": {"no other site's link does anything", func(_ *testsite.Site, access middlewares.Access) {
			access.Private.Both(http.MethodGet, "/boards/export.zip", func(c *gin.Context) error {
				c.Header("Content-Disposition", `attachment; filename="all.zip"`)
				return nil
			})
		}, []string{"GET /boards/export.zip is saved for a cross-site page", "GET /api/v1/boards/export.zip is saved for a same-site page"}},
		"a change by GET": {"no other site's link does anything", func(site *testsite.Site, access middlewares.Access) {
			access.Private.Page(http.MethodGet, "/boards/read", func(c *gin.Context) error { return site.Users.NoteTheft(c, middlewares.UserID(c)) })
		}, []string{"GET /boards/read changes"}},
		"open to all users": {"administrators' routes are theirs", func(_ *testsite.Site, access middlewares.Access) {
			access.Private.Both(http.MethodPost, "/admin/users/:userId/disable", show)
		}, []string{"POST /admin/users/:userId/disable lets in a user", "POST /api/v1/admin/users/:userId/disable lets in a user"}},
		"of any owner, read": {"what is private stays private", func(site *testsite.Site, access middlewares.Access) {
			access.Private.API(http.MethodGet, "/boards/:boardId", asOwner(site, http.MethodGet))
		}, []string{"GET /api/v1/boards/:boardId with", "HEAD /api/v1/boards/:boardId with"}},
		"of any owner, read by anybody": {"what is private stays private", func(site *testsite.Site, access middlewares.Access) {
			access.Public.API(http.MethodGet, "/boards/:boardId", asOwner(site, http.MethodGet))
		}, []string{"GET /api/v1/boards/:boardId with"}},
		"of any owner, deleted": {"what is private stays private", func(site *testsite.Site, access middlewares.Access) {
			access.Private.Both(http.MethodDelete, "/boards/:boardId/items/:itemId", asOwner(site, http.MethodDelete))
		}, []string{"DELETE /api/v1/boards/:boardId/items/:itemId with", "DELETE /api/v1/boards/:boardId/items/:itemId removes"}},
		"of any owner, changed": {"what is public is its owner's to change", func(site *testsite.Site, access middlewares.Access) {
			access.Private.Page(http.MethodPut, "/pins/:any", asOwner(site, http.MethodPatch))
		}, []string{"PUT /pins/:any changes"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := testsite.New(t)
			before := allRoutes(site)
			mistake.add(site, middlewares.NewAccess(site.Engine, site.Auth, nil))
			added := slices.DeleteFunc(allRoutes(site), func(r route) bool { return slices.Contains(before, r) })
			faults := checks[mistake.check](t, site, added)
			for _, want := range mistake.faults {
				if !strings.Contains("\n"+strings.Join(faults, "\n"), "\n"+want) {
					t.Errorf("not found: %s", want)
				}
			}
		})
	}
}

// asOwner is an action that doesn't check ownership: it does to the text post in its last parameter what only alice may
// do.
func asOwner(site *testsite.Site, method string) respond.Action {
	alice := sync.OnceValue(func() *testsite.Client { return site.SignIn("alice") })
	return func(c *gin.Context) error {
		post := c.Params[len(c.Params)-1].Value
		answer := alice().JSON(method, "/api/v1/tweets/"+post, testsite.M{"content": rand.Text()})
		c.Data(answer.Code, "application/json", []byte(answer.Body))
		return nil
	}
}
