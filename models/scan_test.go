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
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// watch sees every query that the tests of this package make on the embedded engine.
var watch = &watcher{seen: map[string]bool{}, scanned: map[string]bool{}}

// TestMain runs the tests, and then, where all of them ran, fails if a query of the models was made by none, or was
// served by no index.
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
	seen, scanned map[string]bool // function and method: "(*Users).ByID FindOne"
}

func (w *watcher) passes() bool {
	made, err := queries()
	if err != nil {
		fmt.Println("reading the models:", err)
		return false
	}
	passes := true
	for _, query := range slices.Sorted(maps.Keys(made)) {
		if !w.seen[query] {
			fmt.Println("no test makes this query, so that nobody knows whether an index serves it:", query)
			passes = false
		}
	}
	for _, query := range slices.Sorted(maps.Keys(w.scanned)) {
		fmt.Println("no index serves this query:", query)
		passes = false
	}
	return passes
}

// queries lists the calls of a collection's methods in the code of the models.
func queries() (map[string]bool, error) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		return nil, err
	}
	found, collection := map[string]bool{}, reflect.TypeFor[Collection]()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || isMaintenance(name) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				method, ok := call.Fun.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				// FindOne(ctx, filter): what has fewer arguments is something else of that name.
				if _, is := collection.MethodByName(method.Sel.Name); is && len(call.Args) > 1 {
					found[functionName(function)+" "+method.Sel.Name] = true
				}
				return true
			})
		}
	}
	return found, nil
}

// isMaintenance tells the files of the commands that go over everything: no user can trigger their queries.
func isMaintenance(file string) bool {
	name := filepath.Base(file)
	return strings.HasPrefix(name, "repair") || strings.HasPrefix(name, "migrate")
}

// functionName is the name that the runtime gives a function.
func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	switch receiver := f.Recv.List[0].Type.(type) {
	case *ast.StarExpr:
		return fmt.Sprintf("(*%s).%s", receiver.X, f.Name)
	default:
		return fmt.Sprintf("%s.%s", receiver, f.Name)
	}
}

var closure = regexp.MustCompile(`(\.func\d+|\.\d+|-range\d+|\.gowrap\d+)+$`)

// caller is the function of the models that made the query; none, if a test itself did.
func caller() (function string, maintenance bool) {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		frame, more := frames.Next()
		if name, ours := strings.CutPrefix(frame.Function, "tokentube/models."); ours && !strings.HasSuffix(frame.File, "_test.go") {
			return closure.ReplaceAllString(name, ""), isMaintenance(frame.File)
		}
		if !more {
			return "", false
		}
	}
}

// watchedEngine is the embedded engine under watch.
type watchedEngine struct {
	embedded
	maintained *atomic.Bool // from now on somebody scans here who may
}

func (e watchedEngine) collection(name string) Collection {
	return watched{e.embedded.collection(name), e.db.Scans, e.maintained}
}

type watched struct {
	Collection
	scans      func() int64
	maintained *atomic.Bool
}

// note is called before a query; what it returns, after it. A scan beside it counts too: there must be none.
func (c watched) note(method string) func() {
	function, maintenance := caller()
	if maintenance {
		c.maintained.Store(true)
	}
	if function == "" || maintenance {
		return func() {}
	}
	query, before := function+" "+method, c.scans()
	return func() {
		watch.mu.Lock()
		defer watch.mu.Unlock()
		watch.seen[query] = true
		if c.scans() != before && !c.maintained.Load() {
			watch.scanned[query] = true
		}
	}
}

func (c watched) InsertOne(ctx context.Context, doc any, o ...options.Lister[options.InsertOneOptions]) (*mongo.InsertOneResult, error) {
	defer c.note("InsertOne")()
	return c.Collection.InsertOne(ctx, doc, o...)
}

func (c watched) FindOne(ctx context.Context, f any, o ...options.Lister[options.FindOneOptions]) *mongo.SingleResult {
	defer c.note("FindOne")()
	return c.Collection.FindOne(ctx, f, o...)
}

func (c watched) Find(ctx context.Context, f any, o ...options.Lister[options.FindOptions]) (*mongo.Cursor, error) {
	defer c.note("Find")()
	return c.Collection.Find(ctx, f, o...)
}

func (c watched) UpdateOne(ctx context.Context, f, u any, o ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error) {
	defer c.note("UpdateOne")()
	return c.Collection.UpdateOne(ctx, f, u, o...)
}

func (c watched) UpdateMany(ctx context.Context, f, u any, o ...options.Lister[options.UpdateManyOptions]) (*mongo.UpdateResult, error) {
	defer c.note("UpdateMany")()
	return c.Collection.UpdateMany(ctx, f, u, o...)
}

func (c watched) FindOneAndUpdate(ctx context.Context, f, u any, o ...options.Lister[options.FindOneAndUpdateOptions]) *mongo.SingleResult {
	defer c.note("FindOneAndUpdate")()
	return c.Collection.FindOneAndUpdate(ctx, f, u, o...)
}

func (c watched) FindOneAndDelete(ctx context.Context, f any, o ...options.Lister[options.FindOneAndDeleteOptions]) *mongo.SingleResult {
	defer c.note("FindOneAndDelete")()
	return c.Collection.FindOneAndDelete(ctx, f, o...)
}

func (c watched) DeleteOne(ctx context.Context, f any, o ...options.Lister[options.DeleteOneOptions]) (*mongo.DeleteResult, error) {
	defer c.note("DeleteOne")()
	return c.Collection.DeleteOne(ctx, f, o...)
}

func (c watched) DeleteMany(ctx context.Context, f any, o ...options.Lister[options.DeleteManyOptions]) (*mongo.DeleteResult, error) {
	defer c.note("DeleteMany")()
	return c.Collection.DeleteMany(ctx, f, o...)
}

func (c watched) CountDocuments(ctx context.Context, f any, o ...options.Lister[options.CountOptions]) (int64, error) {
	defer c.note("CountDocuments")()
	return c.Collection.CountDocuments(ctx, f, o...)
}
