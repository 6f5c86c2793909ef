package models

import (
	"context"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"tokentube/models/store"
)

// watch records every query of the models that the tests make on the embedded engine.
var watch = &watcher{seen: map[string]bool{}, scanned: map[string]bool{}}

// TestMain runs the tests and then, if all of them ran, fails if no test made one of the models' queries, or no index
// served it.
func TestMain(m *testing.M) {
	code := m.Run()
	whole := true
	for _, name := range []string{"test.run", "test.skip", "test.list"} {
		whole = whole && flag.Lookup(name).Value.String() == ""
	}
	if code == 0 && whole && os.Getenv("MONGODB_URI") == "" && !watch.passes() {
		code = 1
	}
	os.Exit(code)
}

type watcher struct {
	mu            sync.Mutex
	seen, scanned map[string]bool
}

func (w *watcher) scans(query string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.scanned[query] = true
}

func (w *watcher) passes() bool {
	sites, err := source()
	if err != nil {
		fmt.Println("reading the models:", err)
		return false
	}
	made, err := sites.queries()
	if err != nil {
		fmt.Println(err)
		return false
	}
	passes := true
	for _, at := range slices.Sorted(maps.Keys(made)) {
		if !w.seen[at] {
			fmt.Println("no test makes this query with watched(), so that nobody knows whether an index serves it:", at, made[at])
			passes = false
		}
	}
	for _, query := range slices.Sorted(maps.Keys(w.scanned)) {
		fmt.Println("no index serves this query:", query)
		passes = false
	}
	return passes
}

// watched is the context for the tests' calls. The database checks each context before it does anything: at that
// moment, the stack shows which line of the models made the call.
func watched() context.Context { return watchedContext{context.Background()} }

type watchedContext struct{ context.Context }

func (c watchedContext) Err() error {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		if strings.HasPrefix(frame.Function, "tokentube/models.") {
			watch.mu.Lock()
			watch.seen[fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line)] = true
			watch.mu.Unlock()
			break
		}
	}
	return c.Context.Err()
}

// code is the source of the models.
type code struct {
	fset  *token.FileSet
	files []*ast.File
}

func source() (*code, error) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		return nil, err
	}
	c := &code{fset: token.NewFileSet()}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(c.fset, name, nil, 0)
		if err != nil {
			return nil, err
		}
		c.files = append(c.files, file)
	}
	return c, nil
}

// queries are the calls of methods of store.Documents and store.Relation that take a context, by file and line.
func (c *code) queries() (map[string]string, error) {
	fields, err := c.collections()
	if err != nil {
		return nil, err
	}
	methods := []reflect.Type{reflect.TypeFor[*store.Relation](), reflect.TypeFor[*store.Documents[Post]]()}
	found := map[string]string{}
	for _, file := range c.files {
		for _, decl := range file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			receiver, receiverType := receiverOf(function)
			ast.Inspect(function, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				method, ok := call.Fun.(*ast.SelectorExpr) // m.users.One
				if !ok {
					return true
				}
				field, ok := method.X.(*ast.SelectorExpr) // m.users
				if !ok {
					return true
				}
				owner, _ := field.X.(*ast.Ident)
				is := len(fields[field.Sel.Name]) > 0
				if owner != nil && owner.Name == receiver { // a field of this name may be something else in another type
					is = fields[field.Sel.Name][receiverType]
				}
				known := slices.ContainsFunc(methods, func(t reflect.Type) bool {
					of, has := t.MethodByName(method.Sel.Name)
					return has && of.Type.NumIn() > 1 && of.Type.In(1) == reflect.TypeFor[context.Context]()
				})
				if is && known {
					at := c.fset.Position(call.Lparen)
					found[fmt.Sprintf("%s:%d", at.Filename, at.Line)] = function.Name.Name + ": " + field.Sel.Name + "." + method.Sel.Name
				}
				return true
			})
		}
	}
	return found, nil
}

// collections are the fields through which documents are accessed, each with the types that have it.
func (c *code) collections() (map[string]map[string]bool, error) {
	fields := map[string]map[string]bool{}
	for _, file := range c.files {
		for _, decl := range file.Decls {
			general, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				named, _ := spec.(*ast.TypeSpec)
				if named == nil {
					continue
				}
				structure, ok := named.Type.(*ast.StructType)
				if !ok {
					continue
				}
				for _, field := range structure.Fields.List {
					if !isCollection(field.Type) {
						continue
					}
					if len(field.Names) == 0 {
						return nil, fmt.Errorf("%s embeds its documents: give the field a name, so that its queries are found", named.Name)
					}
					for _, name := range field.Names {
						if fields[name.Name] == nil {
							fields[name.Name] = map[string]bool{}
						}
						fields[name.Name][named.Name.Name] = true
					}
				}
			}
		}
	}
	return fields, nil
}

// isCollection reports whether a type is *store.Documents[T] or *store.Relation.
func isCollection(t ast.Expr) bool {
	pointer, ok := t.(*ast.StarExpr)
	if !ok {
		return false
	}
	t = pointer.X
	if generic, ok := t.(*ast.IndexExpr); ok {
		t = generic.X
	}
	selector, ok := t.(*ast.SelectorExpr)
	return ok && (selector.Sel.Name == "Documents" || selector.Sel.Name == "Relation")
}

func receiverOf(f *ast.FuncDecl) (name, of string) {
	if f.Recv == nil || len(f.Recv.List[0].Names) == 0 {
		return "", ""
	}
	t := f.Recv.List[0].Type
	if pointer, ok := t.(*ast.StarExpr); ok {
		t = pointer.X
	}
	if ident, ok := t.(*ast.Ident); ok {
		of = ident.Name
	}
	return f.Recv.List[0].Names[0].Name, of
}

// The source must be parsed correctly: a query that TestMain can't find would never be checked.
func TestQueriesAreFoundInTheSource(t *testing.T) {
	c, err := source()
	fatal(t, err)
	made, err := c.queries()
	fatal(t, err)
	all := slices.Collect(maps.Values(made))
	for _, want := range []string{"ByLogin: users.One", "Page: posts.Page", "Of: likes.Of", "Add: views.Insert", "Take: attempts.One", "replaceCurrent: sessions.Update", "add: events.Count"} {
		if !slices.Contains(all, want) {
			t.Errorf("%s is not among %q", want, all)
		}
	}
	if slices.Contains(all, "visible: users.CachedByIDs") {
		t.Error("a method of the models is taken for a query")
	}
}

// A kind that New omits would be missing in repair, in removals and at every start.
func TestNewRegistersEveryKind(t *testing.T) {
	c, err := source()
	fatal(t, err)
	called, registering := map[string]bool{}, map[string]bool{}
	for _, file := range c.files {
		for _, decl := range file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				switch x := n.(type) {
				case *ast.Ident:
					if function.Name.Name == "New" {
						called[x.Name] = true
					}
				case *ast.SelectorExpr:
					if x.Sel.Name == "Register" || x.Sel.Name == "NewRelation" {
						registering[function.Name.Name] = true
					}
				}
				return true
			})
		}
	}
	if len(registering) < 7 {
		t.Errorf("only %v register kinds", registering)
	}
	for name := range registering {
		if !called[name] {
			t.Errorf("New does not call %s", name)
		}
	}
	site := reflect.ValueOf(newWorld(t).Site).Elem()
	for i := range site.NumField() {
		if site.Field(i).IsZero() {
			t.Errorf("New leaves %s empty", site.Type().Field(i).Name)
		}
	}
}
