package middlewares

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"tokentube/utils/respond"
)

// Forms are the paths that forms are sent to, and the pages with these forms. After a rejected form, such a path is in
// the browser's address bar. Opening it from there, from the history, or after a login in between redirects to the page
// with the form.
type Forms struct {
	pages map[string]bool   // the routes of pages
	at    map[string]string // the form's page, by the route that the form is sent to; "" is the nearest page above
}

func (f *Forms) add(method, route, page string) {
	if method == http.MethodGet {
		f.pages[route] = true
	} else if f.at[route] == "" {
		f.at[route] = page
	}
}

// Open redirects a GET of a form's target to the form's page.
func (f *Forms) Open(c *gin.Context) {
	if method := c.Request.Method; method != http.MethodGet && method != http.MethodHead || respond.WantsJSON(c) {
		return
	}
	if page := f.page(c.Request.URL.Path); page != "" {
		_ = respond.Redirect(c, page)
		c.Abort()
	}
}

// page is the page of the form that is sent to this path, or "".
func (f *Forms) page(path string) string {
	for route, page := range f.at {
		if params, ok := match(route, path); ok {
			return params.Replace(f.above(route, page))
		}
	}
	return ""
}

// above is the page, or the nearest one above the route.
func (f *Forms) above(route, page string) string {
	for page == "" {
		route = route[:strings.LastIndex(route, "/")]
		if route == "" {
			return "/"
		}
		if f.pages[route] {
			return route
		}
	}
	return page
}

// match reports whether a path matches a route, and returns a replacer that fills in the route's parameters.
func match(route, path string) (*strings.Replacer, bool) {
	names, values := strings.Split(route, "/"), strings.Split(path, "/")
	var params []string
	ok := slices.EqualFunc(names, values, func(name, value string) bool {
		if !strings.HasPrefix(name, ":") {
			return name == value
		}
		params = append(params, name, url.PathEscape(value))
		return value != ""
	})
	return strings.NewReplacer(params...), ok
}
