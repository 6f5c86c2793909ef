package respond

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"text/template/parse"
)

// Renderer holds all pages. Each consists of the layout, the partials and its own file in a separate template set, so
// that two pages may define the same block.
//
// All files are parsed at startup, so that mistakes are found then. A page's set is assembled when the page is first
// shown: so startup is fast, and pages that nobody opens take no memory.
type Renderer struct {
	pages map[string]func() (*template.Template, error)
}

// NewRenderer parses all pages in the folder: layout.html, partials/*.html and <feature>/<page>.html. A page's name is
// its path without ".html".
func NewRenderer(files fs.FS, funcs template.FuncMap) (*Renderer, error) {
	shared, err := fs.Glob(files, "partials/*.html")
	if err != nil {
		return nil, err
	}
	all, err := fs.Glob(files, "*/*.html")
	if err != nil {
		return nil, err
	}
	p := parser{files: files, funcs: funcs, inTemplates: template.FuncMap{"key": keyInput, "shown": shown, "asIs": asIs}}
	base, err := p.parse("layout.html", append(shared, "layout.html")...)
	if err != nil {
		return nil, err
	}
	r := &Renderer{pages: map[string]func() (*template.Template, error){}}
	for _, name := range all {
		if slices.Contains(shared, name) {
			continue
		}
		own, err := p.parse(path.Base(name), name)
		if err != nil {
			return nil, err
		}
		r.pages[strings.TrimSuffix(name, ".html")] = sync.OnceValues(func() (*template.Template, error) { return joined(base, own) })
	}
	return r, nil
}

// joined is a copy of base plus the templates of a page.
func joined(base, page *template.Template) (*template.Template, error) {
	set, err := base.Clone()
	if err != nil {
		return nil, err
	}
	for _, t := range page.Templates() {
		if t.Tree == nil || parse.IsEmptyTree(t.Tree.Root) {
			continue
		}
		if _, err := set.AddParseTree(t.Name(), t.Tree); err != nil {
			return nil, err
		}
	}
	return set, nil
}

type parser struct {
	files              fs.FS
	funcs, inTemplates template.FuncMap
}

// parse parses files into a set, each under its base name, and prepares their content.
func (p parser) parse(set string, names ...string) (*template.Template, error) {
	t := template.New(set).Funcs(p.funcs).Funcs(p.inTemplates)
	if err := addFiles(t, p.files, names...); err != nil {
		return nil, err
	}
	for _, t := range t.Templates() {
		if t.Tree != nil {
			foldConstants(t.Tree.Root, p.funcs)
			isolateTexts(t.Tree.Root)
		}
	}
	return t, nil
}

// addFiles adds files to a template set, each under its base name.
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

// foldConstants replaces calls such as {{icon "heart"}} and {{asset "css/base.css"}} with their results: they are the
// same for every request, and calling a function from a template costs more than the function itself.
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

// constant is the HTML of a call that always returns the same result.
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

// Execute renders the named page inside the layout.
func (r *Renderer) Execute(w io.Writer, name string, p Page) error {
	set, ok := r.pages[name]
	if !ok {
		return fmt.Errorf("no page %q", name)
	}
	page, err := set()
	if err != nil {
		return err
	}
	return page.ExecuteTemplate(w, "layout.html", p)
}

// Names lists the pages, for tests.
func (r *Renderer) Names() []string {
	return slices.Collect(maps.Keys(r.pages))
}

// String renders a page to text, for tests.
func (r *Renderer) String(name string, p Page) (string, error) {
	var buf bytes.Buffer
	err := r.Execute(&buf, name, p)
	return buf.String(), err
}
