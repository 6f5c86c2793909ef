package respond

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"strings"
)

// Renderer has every page parsed once, at start: each is the layout, the
// partials and its own file, in a template set of its own, so that two pages may
// define the same block.
type Renderer struct {
	pages map[string]*template.Template
}

// NewRenderer parses all pages of the folder: layout.html, partials/*.html and
// <feature>/<page>.html. A page is named by its path without ".html".
func NewRenderer(files fs.FS, funcs template.FuncMap) (*Renderer, error) {
	base, err := template.New("layout.html").Funcs(funcs).ParseFS(files, "layout.html", "partials/*.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "*/*.html")
	if err != nil {
		return nil, err
	}
	r := &Renderer{pages: map[string]*template.Template{}}
	for _, name := range names {
		if path.Dir(name) == "partials" {
			continue
		}
		page, err := template.Must(base.Clone()).ParseFS(files, name)
		if err != nil {
			return nil, err
		}
		r.pages[strings.TrimSuffix(name, ".html")] = page
	}
	return r, nil
}

// Execute writes the page named so, inside the layout.
func (r *Renderer) Execute(w io.Writer, name string, p Page) error {
	page, ok := r.pages[name]
	if !ok {
		return fmt.Errorf("no page %q", name)
	}
	return page.ExecuteTemplate(w, "layout.html", p)
}

// Names lists the pages, for tests.
func (r *Renderer) Names() []string {
	names := make([]string, 0, len(r.pages))
	for name := range r.pages {
		names = append(names, name)
	}
	return names
}

// String renders a page to text, for tests.
func (r *Renderer) String(name string, p Page) (string, error) {
	var buf bytes.Buffer
	err := r.Execute(&buf, name, p)
	return buf.String(), err
}
