// Package source shows the program's own Go code: a declaration by its name, with its file and line. So pages show
// exactly the code that runs, and a page that names code that no longer exists cannot be built.
//
// Does not belong here: which code is shown where (controllers/lab), and how it looks (templates/partials/lesson.html).
package source

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// Code is the source of the program, parsed once.
type Code struct{ pieces map[string]Piece }

// Piece is one declaration with the comment above it.
type Piece struct {
	Name string `json:"name"` // as requested
	File string `json:"file"` // relative to the module's folder, such as models/user.go
	Line int    `json:"line"` // the first one, including the comment
	Text string `json:"text"`
}

// New parses all Go files of the folder except tests.
func New(folder fs.FS) (*Code, error) {
	c := &Code{pieces: map[string]Piece{}}
	return c, fs.WalkDir(folder, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return err
		}
		content, err := fs.ReadFile(folder, name)
		if err != nil {
			return err
		}
		return c.add(name, content)
	})
}

// Find returns a function ("controllers.safeNext"), a method ("middlewares.Auth.Renew"), or the declaration of a type,
// a constant or a variable; for those declared in a block, the whole block.
func (c *Code) Find(name string) (Piece, error) {
	p, ok := c.pieces[name]
	if !ok {
		return Piece{}, fmt.Errorf("the source has no %s", name)
	}
	p.Name = name
	return p, nil
}

func (c *Code) add(name string, content []byte) error {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, declaration := range file.Decls {
		names, doc := declared(declaration)
		start := files.Position(declaration.Pos())
		if doc != nil {
			start = files.Position(doc.Pos())
		}
		piece := Piece{File: name, Line: start.Line, Text: text(content, start.Offset, files.Position(declaration.End()).Offset)}
		for _, n := range names {
			c.pieces[file.Name.Name+"."+n] = piece
		}
	}
	return nil
}

// text is the text between two offsets, up to the end of its last line.
func text(content []byte, start, end int) string {
	if rest := bytes.IndexByte(content[end:], '\n'); rest >= 0 {
		end += rest
	}
	return string(content[start:end])
}

// declared are the names that a declaration defines, methods with their type's name.
func declared(d ast.Decl) (names []string, doc *ast.CommentGroup) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			return []string{d.Name.Name}, d.Doc
		}
		return []string{receiver(d.Recv.List[0].Type) + "." + d.Name.Name}, d.Doc
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, spec.Name.Name)
			case *ast.ValueSpec:
				for _, n := range spec.Names {
					names = append(names, n.Name)
				}
			}
		}
		return names, d.Doc
	}
	return nil, nil
}

func receiver(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiver(t.X)
	case *ast.IndexExpr: // of a generic type
		return receiver(t.X)
	case *ast.IndexListExpr:
		return receiver(t.X)
	case *ast.Ident:
		return t.Name
	}
	return ""
}
