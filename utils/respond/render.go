package respond

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"strings"
	"text/template/parse"
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
	partials, err := fs.Glob(files, "partials/*.html")
	if err != nil {
		return nil, err
	}
	base := template.New("layout.html").Funcs(funcs).Funcs(template.FuncMap{"key": keyInput, "shown": shown, "asIs": asIs})
	if err := addFiles(base, files, append(partials, "layout.html")...); err != nil {
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
		page := template.Must(base.Clone())
		if err := addFiles(page, files, name); err != nil {
			return nil, err
		}
		for _, t := range page.Templates() {
			if t.Tree != nil {
				foldConstants(t.Tree.Root, funcs)
				isolateTexts(t.Tree.Root)
			}
		}
		r.pages[strings.TrimSuffix(name, ".html")] = page
	}
	return r, nil
}

// addFiles adds files to a template set, each under its name without the folder.
func addFiles(set *template.Template, files fs.FS, names ...string) error {
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		t := set
		if base := path.Base(name); base != set.Name() {
			t = set.New(base)
		}
		if _, err := t.Parse(withKeys(string(text))); err != nil {
			return err
		}
	}
	return nil
}

// foldConstants puts what {{icon "heart"}} and {{asset "css/base.css"}} give in their places: it is the same for every
// request, and a call in a template costs more than what it calls.
func foldConstants(list *parse.ListNode, funcs template.FuncMap) {
	if list == nil {
		return
	}
	for i, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.ActionNode:
			if text, ok := constant(n.Pipe, funcs); ok {
				list.Nodes[i] = &parse.TextNode{NodeType: parse.NodeText, Pos: n.Pos, Text: []byte(text)}
			}
		case *parse.IfNode:
			foldConstants(n.List, funcs)
			foldConstants(n.ElseList, funcs)
		case *parse.WithNode:
			foldConstants(n.List, funcs)
			foldConstants(n.ElseList, funcs)
		case *parse.RangeNode:
			foldConstants(n.List, funcs)
			foldConstants(n.ElseList, funcs)
		}
	}
}

// constant is the HTML of a call that always gives the same.
func constant(pipe *parse.PipeNode, funcs template.FuncMap) (html string, ok bool) {
	if len(pipe.Decl) != 0 || len(pipe.Cmds) != 1 || len(pipe.Cmds[0].Args) != 2 {
		return "", false
	}
	call, isCall := pipe.Cmds[0].Args[0].(*parse.IdentifierNode)
	name, isText := pipe.Cmds[0].Args[1].(*parse.StringNode)
	if !isCall || !isText || call.Ident != "icon" && call.Ident != "asset" {
		return "", false
	}
	switch f := funcs[call.Ident].(type) {
	case func(string) template.HTML:
		return string(f(name.Text)), true
	case func(string) string:
		return template.HTMLEscapeString(f(name.Text)), true
	}
	return "", false
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
