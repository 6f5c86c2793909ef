package routes_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/gin-gonic/gin"

	"tokentube/e2e/testsite"
	"tokentube/models"
	"tokentube/routes"
	"tokentube/static"
	"tokentube/templates"
)

func TestRequireRole(t *testing.T) {
	site := testsite.New(t)
	hash, err := site.Hasher.Hash(t.Context(), testsite.Password)
	if err != nil {
		t.Fatal(err)
	}
	admin := &models.User{Username: "alice", Email: "alice@example.com", FullName: "Alice", PasswordHash: hash, Roles: []string{"admin"}}
	if err := site.Users.Create(context.Background(), admin); err != nil {
		t.Fatal(err)
	}
	engine, err := routes.NewEngine(site.App, templates.FS, static.FS, testsite.Code(t))
	if err != nil {
		t.Fatal(err)
	}
	engine.GET("/admin", site.Auth.VerifyJWT, site.Auth.RequireRole("admin"), func(c *gin.Context) { c.String(http.StatusOK, "secret") })
	open := func(c *testsite.Client) int {
		r := httptest.NewRequest(http.MethodGet, "https://localhost/admin", nil)
		for name, value := range c.Cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		w := httptest.NewRecorder()
		engine.ServeHTTP(w, r)
		return w.Code
	}
	alice, bob := site.SignIn("alice"), site.User("bob")
	if got := open(alice); got != http.StatusOK {
		t.Errorf("the admin: %d", got)
	}
	if got := open(bob); got != http.StatusForbidden {
		t.Errorf("another user: %d", got)
	}
	if got := open(site.Client()); got != http.StatusSeeOther {
		t.Errorf("nobody: %d", got)
	}
}

// Who was an administrator a moment ago is none now, in every process, whatever
// the access token says.
func TestDemotedAdminIsRefusedAtOnce(t *testing.T) {
	const adminsOnly = "/api/v1/admin/backup"
	one := testsite.New(t)
	sites := []*testsite.Site{one}
	if one.Config.MongoURI != "" { // the embedded engine is for one process
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
			let = http.StatusConflict // let in, and told that a MongoDB has its own backups
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
