package docs_test

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tokentube/utils/source"
)

// way is one of the four walkthroughs in reading.md.
type way struct {
	title  string
	files  []string // to open, in this order
	named  []string // functions to read
	passed []string // called along the way, but not to be opened
}

var (
	step      = regexp.MustCompile(`(?ms)^\d+\. \[([\w/.]+)\]\(\.\./([\w/.]+)\): (.*?)(?:\n\n|\n\d|\z)`)
	functions = regexp.MustCompile("`([a-z]+\\.[A-Za-z.]+)`")
	passed    = regexp.MustCompile(`(?s)\nNo need to open: (.*?)\.\n`)
)

// most is how many files each of them may require opening.
var most = map[string]int{"Login": 7, "Renewal": 7, "Logout": 6, "Liking a post": 6}

func ways(t *testing.T) (all []way) {
	t.Helper()
	for _, text := range strings.Split(read(t, "reading.md"), "\n## ")[1:] {
		title, rest, _ := strings.Cut(text, "\n")
		w := way{title: title}
		if found := passed.FindStringSubmatch(rest); found != nil {
			w.passed = names(found[1])
		}
		for found := step.FindStringSubmatchIndex(rest); found != nil; found = step.FindStringSubmatchIndex(rest) {
			shown, file, words := rest[found[2]:found[3]], rest[found[4]:found[5]], rest[found[6]:found[7]]
			if shown != file {
				t.Errorf("%s: %s leads to %s", title, shown, file)
			}
			if len(names(words)) == 0 {
				t.Errorf("%s: %s: no function is named", title, file)
			}
			w.files = append(w.files, file)
			w.named = append(w.named, names(words)...)
			rest = rest[found[7]:]
		}
		if listed := len(regexp.MustCompile(`(?m)^\d+\. `).FindAllString(text, -1)); listed != len(w.files) {
			t.Errorf("%s: %d of %d steps are written as the others are", title, len(w.files), listed)
		}
		all = append(all, w)
	}
	return all
}

func names(text string) (all []string) {
	for _, found := range functions.FindAllStringSubmatch(text, -1) {
		all = append(all, found[1])
	}
	return all
}

// reading.md leads from the route to the database: each step names functions that exist in its file, and no walkthrough
// is longer than allowed.
func TestReadingGuideNamesWhatIsThere(t *testing.T) {
	code, err := source.New(os.DirFS(".."))
	if err != nil {
		t.Fatal(err)
	}
	all := ways(t)
	if len(all) != len(most) {
		t.Errorf("%d ways, want %d", len(all), len(most))
	}
	for _, w := range all {
		if n := len(w.files); n < 4 || n > most[w.title] {
			t.Errorf("%s: %d files, at most %d", w.title, n, most[w.title])
		}
		for _, name := range w.named {
			piece, err := code.Find(name)
			if err != nil {
				t.Error(err)
			} else if !slices.Contains(w.files, piece.File) {
				t.Errorf("%s: %s is in %s, which is not on the list", w.title, name, piece.File)
			}
		}
		for _, name := range w.passed {
			if _, err := code.Find(name); err != nil {
				t.Error(err)
			}
		}
	}
}

// Nothing else is called along the way: everything that the named functions call, and what that calls in the same
// files, is in one of the files, or is listed as not to be opened. The packages under utils and models/store are tools
// with documented methods.
func TestReadingGuideNamesAllThatIsCalled(t *testing.T) {
	declared := declarations(t, "../routes", "../controllers", "../middlewares", "../models")
	for _, w := range ways(t) {
		seen, queue := map[string]bool{}, slices.Clone(w.named)
		for len(queue) > 0 {
			name := queue[0]
			queue = queue[1:]
			f := declared[name]
			if f == nil || seen[name] || strings.HasSuffix(name, ".Routes") || name == "routes.register" {
				continue // these two call everything
			}
			seen[name] = true
			for _, called := range f.calls {
				to := resolve(declared, f, called)
				if to == "" || slices.Contains(w.passed, to) {
					continue
				}
				if !slices.Contains(w.files, declared[to].file) {
					t.Errorf("%s: %s calls %s, which is neither in a file of the list nor among what needs no opening", w.title, name, to)
					continue
				}
				queue = append(queue, to)
			}
		}
	}
}

// function is a declared function, with what it calls or passes on.
type function struct {
	file, pkg, variable, receiver string
	calls                         []call
}

// call is a name and what it is selected from, if that is a single identifier.
type call struct{ base, name string }

func declarations(t *testing.T, folders ...string) map[string]*function {
	t.Helper()
	all := map[string]*function{}
	for _, folder := range folders {
		paths, err := filepath.Glob(folder + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
					variable, of := receiver(f)
					name := file.Name.Name + "." + strings.TrimPrefix(of+"."+f.Name.Name, ".")
					all[name] = &function{strings.TrimPrefix(path, "../"), file.Name.Name, variable, of, calls(f.Body)}
				}
			}
		}
	}
	return all
}

func receiver(f *ast.FuncDecl) (variable, of string) {
	if f.Recv == nil {
		return "", ""
	}
	r := f.Recv.List[0]
	if len(r.Names) > 0 {
		variable = r.Names[0].Name
	}
	t := r.Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	return variable, t.(*ast.Ident).Name
}

func calls(body ast.Node) []call {
	found := map[call]bool{}
	add := func(e ast.Expr) {
		switch e := e.(type) {
		case *ast.Ident:
			found[call{"", e.Name}] = true
		case *ast.SelectorExpr:
			switch x := e.X.(type) {
			case *ast.Ident:
				found[call{x.Name, e.Sel.Name}] = true
			case *ast.SelectorExpr:
				found[call{x.Sel.Name, e.Sel.Name}] = true
			}
		}
	}
	ast.Inspect(body, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		add(c.Fun)
		for _, arg := range c.Args {
			if method, ok := arg.(*ast.SelectorExpr); ok {
				add(method) // passed on
			}
		}
		return true
	})
	return slices.Collect(maps.Keys(found))
}

// resolve finds what a call refers to, as far as names tell; "" is a function of another package or of the language.
func resolve(declared map[string]*function, from *function, c call) string {
	own := func(of string) string {
		if name := from.pkg + "." + of + c.name; declared[name] != nil {
			return name
		}
		return ""
	}
	if c.base == "" {
		return own("")
	}
	if c.base == from.variable {
		return cmp.Or(own(from.receiver+"."), own("App."))
	}
	if name := c.base + "." + c.name; declared[name] != nil {
		return name // of a package
	}
	var candidates []string
	for name, f := range declared {
		if f.receiver == "" || !strings.HasSuffix(name, "."+c.name) {
			continue
		}
		if strings.EqualFold(f.receiver, c.base) {
			return name // of a field named like its type
		}
		candidates = append(candidates, name)
	}
	if len(candidates) == 1 && !slices.Contains([]string{"Add", "Update", "Error", "Log"}, c.name) {
		return candidates[0]
	}
	return ""
}
