package routes_test

import (
	"context"
	"net/http"
	"net/http/httptest"
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
