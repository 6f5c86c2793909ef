package routes_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"tokentube/e2e/testsite"
	"tokentube/models"
)

// admin is a logged-in user with that role.
func admin(t testing.TB, site *testsite.Site, name string) *testsite.Client {
	t.Helper()
	site.User(name)
	user, err := site.Users.ByLogin(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := site.Users.SetRoles(t.Context(), user.ID, []string{models.Admin}); err != nil {
		t.Fatal(err)
	}
	return site.SignIn(name)
}

// letUsersAdminister reports routes below an "admin" group that let in a user who is not an administrator, or one who
// was an administrator until a moment ago. It finds the administrators' routes by calling each route as both.
func letUsersAdminister(t testing.TB, site *testsite.Site, routes []route) (faults []string) {
	alice, bob := admin(t, site, "alice"), site.User("bob")
	allows := func(c *testsite.Client, r route, accept string) bool {
		request := httptest.NewRequest(r.method, "https://localhost"+r.to(someID), nil)
		request.Header.Set("Accept", accept)
		return c.Do(request).Code != http.StatusForbidden
	}
	var found []route
	for _, r := range privateRoutes(routes) {
		alice, bob = stillIn(site, alice, "alice"), stillIn(site, bob, "bob")
		user := allows(bob, r, "application/json") || allows(bob, r, "text/html")
		if user && strings.Contains(r.path+"/", "/admin/") {
			faults = append(faults, r.String()+" lets in a user who is no administrator")
		}
		if !user && allows(alice, r, "application/json") {
			found = append(found, r)
		}
	}
	backup := route{http.MethodGet, "/api/v1/admin/backup"}
	if slices.Contains(routes, backup) && !slices.Contains(found, backup) {
		faults = append(faults, fmt.Sprintf("the backup is not among the administrators' routes: %v", found))
	}
	user, err := site.Users.ByLogin(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := site.Users.SetRoles(t.Context(), user.ID, nil); err != nil {
		t.Fatal(err)
	}
	for _, r := range found {
		if allows(alice, r, "application/json") || allows(alice, r, "text/html") {
			faults = append(faults, r.String()+" lets in who is no administrator any more")
		}
	}
	return faults
}

func TestRequireRole(t *testing.T) {
	site := testsite.New(t)
	site.Engine.GET("/admin", site.Auth.VerifyJWT, site.Auth.RequireRole(models.Admin), func(c *gin.Context) { c.String(http.StatusOK, "secret") })
	admin(t, site, "alice").Get("/admin").Status(http.StatusOK).Has("secret")
	site.User("bob").Get("/admin").Status(http.StatusForbidden)
	site.Client().Get("/admin").Status(http.StatusSeeOther)
}

// A user who was an administrator a moment ago no longer is, in every process, whatever the access token says.
func TestDemotedAdminIsRefusedAtOnce(t *testing.T) {
	const adminsOnly = "/api/v1/admin/backup"
	one := testsite.New(t)
	sites := []*testsite.Site{one}
	if one.Config.MongoURI != "" { // the embedded engine supports only one process
		sites = append(sites, testsite.Open(t, one.Config, one.Clock))
	}
	ctx := t.Context()
	one.User("alice")
	user, err := one.Users.ByLogin(ctx, "alice")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.Users.SetRoles(ctx, user.ID, []string{models.Admin}); err != nil {
		t.Fatal(err)
	}
	alice := one.SignIn("alice")
	for i, site := range sites { // all caches are warm
		let := http.StatusOK
		if one.Config.MongoURI != "" {
			let = http.StatusConflict // let in, and told that MongoDB has its own backups
		}
		alice.CopyTo(site).JSON("HEAD", adminsOnly, nil).Status(let)
		alice.CopyTo(site).JSON("GET", "/api/v1/users/get-current-user", nil).Status(http.StatusOK)
		if i == len(sites)-1 {
			if _, err := one.Users.SetRoles(ctx, user.ID, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	claims, err := one.Auth.Tokens.Access.Verify(alice.Cookies["AccessToken"])
	if err != nil || !slices.Contains(claims.Roles, models.Admin) {
		t.Fatalf("the token does not claim the role: %+v, %v", claims, err)
	}
	for i, site := range sites {
		tab := alice.CopyTo(site)
		tab.JSON("GET", adminsOnly, nil).Status(http.StatusForbidden).Has(`"code":"forbidden"`)
		program := site.Client()
		program.Header.Set("Authorization", "Bearer "+alice.Cookies["AccessToken"])
		program.JSON("GET", adminsOnly, nil).Status(http.StatusForbidden)
		if tab.Cookies["AccessToken"] != alice.Cookies["AccessToken"] {
			t.Errorf("process %d: the test is of another token", i)
		}
		tab.JSON("GET", "/api/v1/users/get-current-user", nil).Status(http.StatusOK) // still a user
	}
}
