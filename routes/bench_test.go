package routes_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gin-gonic/gin"

	"tokentube/e2e/testsite"
	"tokentube/middlewares"
	"tokentube/routes"
	"tokentube/static"
	"tokentube/templates"
	"tokentube/utils/respond"
)

// BenchmarkHTTP compares one JSON answer over real HTTP, open to everybody and
// behind VerifyJWT.
func BenchmarkHTTP(b *testing.B) {
	site := testsite.New(b)
	alice := site.User("alice")
	engine, err := routes.NewEngine(site.App, templates.FS, static.FS)
	if err != nil {
		b.Fatal(err)
	}
	answer := func(c *gin.Context) error {
		return respond.Show(c, "", gin.H{"title": "A title", "likesCount": 12, "tags": []string{"one", "two"}})
	}
	access := middlewares.NewAccess(engine, site.Auth)
	access.Open.API(http.MethodGet, "/measured/open", answer)
	access.Private.API(http.MethodGet, "/measured/private", answer)
	server := httptest.NewServer(engine)
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	for _, path := range []string{"open", "private"} {
		b.Run(path, func(b *testing.B) {
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					r, _ := http.NewRequest(http.MethodGet, server.URL+"/api/v1/measured/"+path, nil)
					if path == "private" {
						r.Header.Set("Authorization", "Bearer "+alice.Cookies["AccessToken"])
					}
					response, err := client.Do(r)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, response.Body)
					_ = response.Body.Close()
					if response.StatusCode != http.StatusOK {
						b.Errorf("%d", response.StatusCode)
						return
					}
				}
			})
		})
	}
}
