package e2e_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/localdb"
	"tokentube/utils/media"
)

// stored is the content of a stopped site's data file, by collection. It is read without the site's own code, which
// would only find what it expects.
type stored map[string][]bson.Raw

func readStored(t *testing.T, data string) stored {
	t.Helper()
	ctx := context.Background()
	db, err := localdb.OpenStill(filepath.Join(data, "tokentube.db"))
	check(t, err)
	defer func() { _ = db.Close() }()
	check(t, db.Check(ctx))
	names, err := db.Names(ctx)
	check(t, err)
	s := stored{}
	for _, name := range names {
		check(t, db.Collection(name).Batches(ctx, 1000, func(batch []bson.Raw) error {
			for _, raw := range batch {
				s[name] = append(s[name], slices.Clone(raw))
			}
			return nil
		}))
	}
	return s
}

// settled starts and stops a site until its background removals are complete.
func (b binary) settled(t *testing.T, settings env) stored {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		p := b.start(t, settings)
		p.ready()
		p.stop()
		s := readStored(t, settings["DATA_DIR"])
		if len(s["removals"]) == 0 {
			return s
		}
		if time.Now().After(end) {
			t.Fatalf("it does not finish what is to be removed: %v\n%s", s["removals"], p.printed())
		}
	}
}

// mends runs repair, which must find nothing to do.
func (b binary) mends(t *testing.T, settings env) {
	t.Helper()
	out, err := b.command(t, settings, "repair").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "Nothing needed repair." {
		t.Errorf("repair: %v: %s", err, out)
	}
}

// counted lists what the counters in documents count. A counter that is not listed must be zero.
var counted = []struct {
	kind, field      string
	children, parent string
	only             bson.E
}{
	{"users", "postsCount", "posts", "owner", bson.E{Key: "visibility", Value: "public"}},
	{"posts", "likesCount", "likes", "target", bson.E{}},
}

// faults reports internal inconsistencies: wrong counters, ids that refer to nothing, and unfinished removals.
func (s stored) faults() (faults []string) {
	for kind, docs := range s {
		for _, doc := range docs {
			faults = append(faults, s.wrongCounts(kind, doc)...)
			if _, err := doc.LookupErr("deletedAt"); err == nil {
				faults = append(faults, fmt.Sprintf("%s %v is still being removed", kind, doc.Lookup("_id")))
			}
		}
	}
	return append(faults, s.dangling()...)
}

func (s stored) wrongCounts(kind string, doc bson.Raw) (faults []string) {
	fields, _ := doc.Elements()
	for _, field := range fields {
		if !strings.HasSuffix(field.Key(), "Count") {
			continue
		}
		want := int64(0)
		for _, c := range counted {
			if c.kind == kind && c.field == field.Key() {
				want = s.count(c.children, c.parent, doc.Lookup("_id"), c.only)
			}
		}
		if got, ok := field.Value().AsInt64OK(); !ok || got != want {
			faults = append(faults, fmt.Sprintf("%s %v: %s is %v, and there are %d", kind, doc.Lookup("_id"), field.Key(), field.Value(), want))
		}
	}
	return faults
}

func (s stored) count(children, parent string, id bson.RawValue, only bson.E) (n int64) {
	for _, child := range s[children] {
		if !child.Lookup(parent).Equal(id) {
			continue
		}
		if value, _ := child.Lookup(only.Key).StringValueOK(); only.Key == "" || value == only.Value {
			n++
		}
	}
	return n
}

// dangling finds ids, in any field of any document, that belong to no document.
func (s stored) dangling() (faults []string) {
	there := map[bson.ObjectID]bool{bson.NilObjectID: true} // stands for none
	for _, docs := range s {
		for _, doc := range docs {
			if id, ok := doc.Lookup("_id").ObjectIDOK(); ok {
				there[id] = true
			}
		}
	}
	for kind, docs := range s {
		for _, doc := range docs {
			walk(doc, func(field string, value bson.RawValue) {
				if id, ok := value.ObjectIDOK(); ok && !there[id] {
					faults = append(faults, fmt.Sprintf("%s %v: its %s names %s, which is not there", kind, doc.Lookup("_id"), field, id.Hex()))
				}
			})
		}
	}
	return faults
}

// walk visits the values of a document, including nested ones.
func walk(doc bson.Raw, visit func(field string, value bson.RawValue)) {
	elements, _ := doc.Elements()
	for _, e := range elements {
		visit(e.Key(), e.Value())
		switch e.Value().Type {
		case bson.TypeEmbeddedDocument:
			walk(e.Value().Document(), visit)
		case bson.TypeArray:
			walk(bson.Raw(e.Value().Array()), visit)
		}
	}
}

// files are the names of the files that documents refer to.
func (s stored) files() map[string]bool {
	named := map[string]bool{}
	for _, docs := range s {
		for _, doc := range docs {
			walk(doc, func(_ string, value bson.RawValue) {
				if name, ok := value.StringValueOK(); ok && media.IsName(name) {
					named[name] = true
				}
			})
		}
	}
	return named
}

// lostFiles are files that documents refer to but that don't exist.
func (s stored) lostFiles(t *testing.T, data string) (faults []string) {
	t.Helper()
	there := mediaFiles(t, data)
	for name := range s.files() {
		if !slices.Contains(there, name) {
			faults = append(faults, "there is no file "+name)
		}
	}
	return faults
}

// strayFiles are files that no document refers to, including partial ones.
func (s stored) strayFiles(t *testing.T, data string) (faults []string) {
	t.Helper()
	named := s.files()
	for _, name := range mediaFiles(t, data) {
		if !named[name] {
			faults = append(faults, "nothing names the file "+name)
		}
	}
	return faults
}

func mediaFiles(t *testing.T, data string) (names []string) {
	t.Helper()
	names, err := fs.Glob(os.DirFS(filepath.Join(data, "media")), "p*/*")
	check(t, err)
	return names
}

// complain reports the first few faults.
func complain(t *testing.T, when string, faults []string) {
	t.Helper()
	for i, fault := range faults {
		if i == 10 {
			t.Errorf("%s: and %d more", when, len(faults)-i)
			return
		}
		t.Errorf("%s: %s", when, fault)
	}
}

// rounds is how often a test repeats something that depends on timing: E2E_ROUNDS times, if that is set.
func rounds(t *testing.T, fallback int) int {
	t.Helper()
	n := fallback
	if text := os.Getenv("E2E_ROUNDS"); text != "" {
		_, err := fmt.Sscan(text, &n)
		check(t, err)
	}
	return n
}
