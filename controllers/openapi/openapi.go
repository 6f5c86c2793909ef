// Package openapi serves the description of the API, openapi.json, and a page that shows it. The file is written by
// hand; tests compare it with the site's routes and with every response.
//
// Does not belong here: what the API does.
package openapi

import (
	_ "embed"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"

	"tokentube/controllers"
	"tokentube/middlewares"
	"tokentube/utils/respond"
)

// File is openapi.json.
//
//go:embed openapi.json
var File []byte

// Docs are the file and its page.
type Docs struct{ page func() (docsPage, error) }

// New makes the feature. The page is built when it is first opened.
func New(app *controllers.App) Docs {
	return Docs{sync.OnceValues(func() (docsPage, error) { return newPage(File, app.Config.BaseURL) })}
}

// Routes registers the feature.
func (d Docs) Routes(r middlewares.Access) {
	r.Public.Page(http.MethodGet, "/api/openapi.json", d.Read)
	r.Public.Page(http.MethodGet, respond.DocsPath, d.Show)
}

// Read is GET /api/openapi.json: the file, unchanged.
func (d Docs) Read(c *gin.Context) error {
	return respond.Document{Type: "application/json; charset=utf-8", Body: File}.Send(c)
}

// Show is GET /api/docs: the file as a page.
func (d Docs) Show(c *gin.Context) error {
	page, err := d.page()
	if err != nil {
		return err
	}
	return respond.Show(c, "api/show", page)
}
