package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
	"tokentube/utils/media"
)

// The documents of the tests: each has features that kinds may have.
type (
	author struct { // has no parent, has a file and counts, is cached
		ID             bson.ObjectID `bson:"_id"`
		Name           string        `bson:"name"`
		Portrait       string        `bson:"portrait"`
		BooksCount     int64         `bson:"booksCount"` // only public ones
		StarredCount   int64         `bson:"starredCount"`
		FollowersCount int64         `bson:"followersCount"`
		FollowsCount   int64         `bson:"followsCount"`
	}
	series struct {
		ID         bson.ObjectID `bson:"_id"`
		Title      string        `bson:"title"`
		BooksCount int64         `bson:"booksCount"` // all of them
		Pages      int64         `bson:"pages"`      // of all books, within shelfPages
	}
	book struct { // has two parents, one of them optional, is counted by one only while it is public, has two files
		ID           bson.ObjectID `bson:"_id"`
		Author       bson.ObjectID `bson:"author"`
		Series       bson.ObjectID `bson:"series"`
		Visibility   string        `bson:"visibility"`
		Title        string        `bson:"title"`
		Cover        string        `bson:"cover"`
		Scan         string        `bson:"scan"`
		At           time.Time     `bson:"at"`
		StarsCount   int64         `bson:"starsCount"`
		ReviewsCount int64         `bson:"reviewsCount"`
		TalksCount   int64         `bson:"talksCount"`
		Visits       int64         `bson:"visits"`
		Pages        int64         `bson:"pages"`
		Plates       int           `bson:"plates"` // pages of another kind
	}
	review struct { // has a parent of its own kind too
		ID           bson.ObjectID  `bson:"_id"`
		Book         bson.ObjectID  `bson:"book"`
		Author       *bson.ObjectID `bson:"author,omitempty"`
		To           bson.ObjectID  `bson:"to"`
		AnswersCount int64          `bson:"answersCount"`
	}
	talk struct { // has a parent of its own kind, and stays as a placeholder
		ID           bson.ObjectID `bson:"_id"`
		Book         bson.ObjectID `bson:"book"`
		Author       bson.ObjectID `bson:"author"`
		To           bson.ObjectID `bson:"to"`
		State        string        `bson:"state"`
		AnswersCount int64         `bson:"answersCount"`
		CheersCount  int64         `bson:"cheersCount"`
	}
	visit struct { // an uncounted leaf
		ID   bson.ObjectID `bson:"_id"`
		Book bson.ObjectID `bson:"book"`
	}
	note struct { // has no parent
		ID  string `bson:"_id"`
		Key string `bson:"key"`
		N   int64  `bson:"n"`
	}
)

const shelfPages = 1000

// library is an open database with the kinds of the tests, and a clock that the test sets.
type library struct {
	*DB
	authors *Documents[author]
	series  *Documents[series]
	books   *Documents[book]
	stars   *Relation // authors star books
	follows *Relation // and follow one another
	reviews *Documents[review]
	talks   *Documents[talk]
	cheers  *Relation // authors cheer talks
	visits  *Documents[visit]
	notes   *Documents[note]

	files *shelf
	exact bool // the database has transactions

	mu    sync.Mutex
	at    time.Time
	scans []string
}

func (w *library) register() {
	public := bson.E{Key: "visibility", Value: "public"}
	w.authors = Register[author](w.DB, Kind{Name: "authors", Indexes: []mongo.IndexModel{Unique("name")}, Files: []string{"portrait"}, Cached: true})
	w.series = Register[series](w.DB, Kind{Name: "series"})
	w.books = Register[book](w.DB, Kind{
		Name:    "books",
		Indexes: []mongo.IndexModel{Index("author", "visibility", "-at", "-_id"), Index("series", "-_id"), Index("visibility", "-at", "-_id")},
		Parents: []Parent{
			{Kind: "authors", Field: "author", Counter: "booksCount", If: public},
			{Kind: "series", Field: "series", Counter: "booksCount"},
			{Kind: "series", Field: "series", Counter: "pages", Sum: []string{"pages", "plates"}, Max: shelfPages},
		},
		Files: []string{"cover", "scan"},

		Obsolete: []string{"shelf", "oldTags"},
	})
	w.stars = NewRelation(w.DB, "stars", Parent{Kind: "authors", Counter: "starredCount"}, Parent{Kind: "books", Counter: "starsCount"})
	w.follows = NewRelation(w.DB, "follows", Parent{Kind: "authors", Counter: "followsCount"}, Parent{Kind: "authors", Counter: "followersCount"})
	w.reviews = Register[review](w.DB, Kind{
		Name:    "reviews",
		Indexes: []mongo.IndexModel{Index("book", "-_id"), Index("author"), Index("to")},
		Parents: []Parent{
			{Kind: "books", Field: "book", Counter: "reviewsCount"},
			{Kind: "authors", Field: "author"},
			{Kind: "reviews", Field: "to", Counter: "answersCount"},
		},
	})
	said := bson.E{Key: "state", Value: "said"}
	w.talks = Register[talk](w.DB, Kind{
		Name:    "talks",
		Indexes: []mongo.IndexModel{Index("book", "-_id"), Index("author"), Index("to")},
		Parents: []Parent{
			{Kind: "books", Field: "book", Counter: "talksCount", If: said},
			{Kind: "authors", Field: "author"},
			{Kind: "talks", Field: "to", Counter: "answersCount", If: said},
		},
		Placeholder: &Placeholder{Mark: bson.E{Key: "state", Value: "gone"}, Drops: []string{"author"}},
	})
	w.cheers = NewRelation(w.DB, "cheers", Parent{Kind: "authors"}, Parent{Kind: "talks", Counter: "cheersCount"})
	w.visits = Register[visit](w.DB, Kind{Name: "visits", Indexes: []mongo.IndexModel{Index("book")}, Parents: []Parent{{Kind: "books", Field: "book"}}})
	w.notes = Register[note](w.DB, Kind{Name: "notes", Indexes: []mongo.IndexModel{Unique("key")}})
}

// place is where a library's data is stored, so that it can be opened again.
type place struct {
	uri, database, file string
	files               *shelf
}

// newPlace is on the MongoDB of MONGODB_URI if that is set, and otherwise a file of the embedded engine.
func newPlace(t testing.TB) place {
	p := place{
		uri: os.Getenv("MONGODB_URI"), database: "test_" + bson.NewObjectID().Hex(),
		file: filepath.Join(t.TempDir(), "test.db"), files: &shelf{there: map[string]time.Time{}},
	}
	t.Cleanup(func() { p.discard(t) })
	return p
}

// discard removes the data. Tests with thousands of places do it early: together they would fill a disk.
func (p place) discard(t testing.TB) {
	t.Helper()
	if p.uri == "" {
		fatal(t, os.RemoveAll(p.file))
		return
	}
	client, err := mongo.Connect(options.Client().ApplyURI(p.uri))
	fatal(t, err)
	fatal(t, client.Database(p.database).Drop(context.Background()))
	fatal(t, client.Disconnect(context.Background()))
}

// stocked is a place with a library in use, closed.
func stocked(t testing.TB) place {
	t.Helper()
	p := newPlace(t)
	w := p.open(t, nil)
	w.stock(t)
	fatal(t, w.Close(context.Background()))
	return p
}

// copy is a place like this one.
func (p place) copy(t testing.TB) place {
	t.Helper()
	other := newPlace(t)
	other.files.there = maps.Clone(p.files.there)
	if p.uri != "" {
		p.copyDatabase(t, other.database)
		return other
	}
	data, err := os.ReadFile(p.file)
	fatal(t, err)
	fatal(t, os.WriteFile(other.file, data, 0o600))
	return other
}

// copyDatabase copies all documents. Their indexes are made when the copy is opened.
func (p place) copyDatabase(t testing.TB, to string) {
	t.Helper()
	ctx := context.Background()
	client, err := mongo.Connect(options.Client().ApplyURI(p.uri))
	fatal(t, err)
	defer func() { fatal(t, client.Disconnect(ctx)) }()
	from := client.Database(p.database)
	names, err := from.ListCollectionNames(ctx, bson.D{})
	fatal(t, err)
	for _, name := range names {
		found, err := from.Collection(name).Find(ctx, bson.D{})
		fatal(t, err)
		var all []bson.Raw
		fatal(t, found.All(ctx, &all))
		if len(all) > 0 {
			_, err = client.Database(to).Collection(name).InsertMany(ctx, all)
			fatal(t, err)
		}
	}
}

// open opens the place, and prepares it; wrap may put something between the store and the engine.
func (p place) open(t testing.TB, wrap func(engine) engine) *library {
	t.Helper()
	w := p.openOnly(t, wrap)
	fatal(t, w.Prepare(context.Background()))
	p.files.awaitSweep(t)
	return w
}

func (p place) openOnly(t testing.TB, wrap func(engine) engine) *library {
	t.Helper()
	w := &library{files: p.files, at: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
	s := Settings{MongoURI: p.uri, MongoDatabase: p.database, File: p.file, Files: p.files, Now: w.now, Log: slog.New(scanCatcher{w})}
	e, err := openEngine(context.Background(), s)
	fatal(t, err)
	remote, is := e.(*server)
	w.exact = !is || remote.transactions
	if wrap != nil {
		e = wrap(e)
	}
	p.files.refuseSweep()
	w.DB = newDB(e, s)
	w.grace = min(w.grace, 50*time.Millisecond) // the tests write immediately or never
	w.pause = time.Millisecond
	w.register()
	return w
}

func newLibrary(t testing.TB) *library {
	t.Helper()
	w := newPlace(t).open(t, nil)
	t.Cleanup(func() {
		fatal(t, w.Close(context.Background()))
		if len(w.scans) > 0 {
			t.Errorf("no index serves these: %q", w.scans)
		}
	})
	return w
}

// scanCatcher is a log that collects warnings about scans.
type scanCatcher struct{ w *library }

func (c scanCatcher) Enabled(context.Context, slog.Level) bool { return true }
func (c scanCatcher) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c scanCatcher) WithGroup(string) slog.Handler            { return c }
func (c scanCatcher) Handle(_ context.Context, r slog.Record) error {
	if !strings.Contains(r.Message, "read a whole collection") {
		return nil
	}
	text := ""
	r.Attrs(func(a slog.Attr) bool { text += a.String() + " "; return true })
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.w.scans = append(c.w.scans, text)
	return nil
}

func (w *library) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *library) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// shelf is a storage of files.
type shelf struct {
	mu      sync.Mutex
	there   map[string]time.Time // when it was changed
	held    bool
	failing int // how many of the next deletions will fail
	deletes int
	early   bool // no files may be listed yet
	asked   int  // how often files were listed too early
	drafts  []time.Time
	remote  bool   // see Files.Local
	during  func() // runs during each deletion
}

func (s *shelf) Local() bool { return !s.remote }

func (s *shelf) RemoveDrafts(_ context.Context, before time.Time) (removed, young int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := len(s.drafts)
	s.drafts = slices.DeleteFunc(s.drafts, before.After)
	return all - len(s.drafts), len(s.drafts), nil
}

var errNoStorage = errors.New("the storage is away")

func (s *shelf) Delete(_ context.Context, names ...string) error {
	if s.during != nil {
		s.during()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deletes++
	if s.held {
		return media.ErrHeld
	}
	if s.failing > 0 {
		s.failing--
		return errNoStorage
	}
	for _, name := range names {
		delete(s.there, name)
	}
	return nil
}

func (s *shelf) Each(_ context.Context, prefix string, visit func(media.Info) error) error {
	s.mu.Lock()
	early, files := s.early, maps.Clone(s.there)
	if early {
		s.asked++
	}
	s.mu.Unlock()
	if early {
		return errNoStorage
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		if err := visit(media.Info{Name: name, Changed: files[name]}); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) Exists(_ context.Context, name string) (bool, error) { return s.has(name), nil }

func (s *shelf) has(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, there := s.there[name]
	return there
}

func (s *shelf) add(age time.Duration, names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range names {
		s.there[name] = time.Now().Add(-age)
	}
}

func (s *shelf) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// refuseSweep keeps the sweep at startup from reading concurrently with the test.
func (s *shelf) refuseSweep() { s.set(func() { s.early, s.asked = true, 0 }) }

func (s *shelf) awaitSweep(t testing.TB) {
	t.Helper()
	eventually(t, "the sweep at the start", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.asked > 0
	})
	s.set(func() { s.early = false })
}

// eventually waits for background work.
func eventually(t testing.TB, what string, happened func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !happened(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s never came", what)
		}
	}
}

// id is the same in every library, so that two can be compared.
func id(n byte) bson.ObjectID { return bson.ObjectID{0: 1, 11: n} }

func file(n int) string { return fmt.Sprintf("public/%032x.png", n) }

// The documents of a library in use.
var (
	alice, bob, carol             = id(1), id(2), id(3)
	saga                          = id(5)
	published, draft, his, single = id(11), id(12), id(13), id(14)
	praise, answer, anonymous     = id(21), id(22), id(23)
	asked, answered, empty, late  = id(51), id(52), id(53), id(54) // alice asks, bob answers; the first question is gone, and one answer came late
	lone                          = id(55)
)

// stock fills a library: alice, who will be removed, has books that others star, and stars bob's.
func (w *library) stock(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	for n, name := range []string{"alice", "bob", "carol"} {
		w.files.add(0, file(n+1))
		fatal(t, w.authors.Insert(ctx, &author{ID: id(byte(n + 1)), Name: name, Portrait: file(n + 1)}))
	}
	fatal(t, w.series.Insert(ctx, &series{ID: saga, Title: "saga"}))
	for n, b := range []book{
		{ID: published, Author: alice, Series: saga, Visibility: "public", Pages: 100, Plates: 3},
		{ID: draft, Author: alice, Visibility: "draft"},
		{ID: his, Author: bob, Series: saga, Visibility: "public", Pages: 20},
		{ID: single, Author: bob, Visibility: "public"},
	} {
		b.Cover, b.Scan, b.At = file(11+n), file(21+n), w.Now()
		w.files.add(0, b.Cover, b.Scan)
		fatal(t, w.books.Insert(ctx, &b))
	}
	for user, books := range map[bson.ObjectID][]bson.ObjectID{alice: {published, draft, his, single}, bob: {published, his}, carol: {published, his}} {
		for _, b := range books {
			fatal(t, w.stars.Add(ctx, user, b))
		}
	}
	for _, pair := range [][2]bson.ObjectID{{alice, bob}, {bob, alice}, {alice, alice}, {bob, carol}} {
		fatal(t, w.follows.Add(ctx, pair[0], pair[1]))
	}
	for _, r := range []review{{ID: praise, Book: his, Author: &alice}, {ID: answer, Book: his, Author: &bob, To: praise}, {ID: anonymous, Book: published}} {
		fatal(t, w.reviews.Insert(ctx, &r))
	}
	for _, k := range []talk{
		{ID: asked, Book: his, Author: alice}, {ID: answered, Book: his, Author: bob, To: asked},
		{ID: empty, Book: his, Author: carol}, {ID: late, Book: his, Author: alice, To: empty}, {ID: lone, Book: his, Author: alice},
	} {
		k.State = "said"
		fatal(t, w.talks.Insert(ctx, &k))
		fatal(t, w.cheers.Add(ctx, carol, k.ID))
	}
	fatal(t, w.talks.Remove(ctx, empty, nil))
	fatal(t, w.visits.Insert(ctx, &visit{ID: id(31), Book: published}))
	fatal(t, w.visits.Insert(ctx, &visit{ID: id(32), Book: his}))
	fatal(t, w.notes.Insert(ctx, &note{ID: "a", Key: "a", N: 1}))
}

// all reads the documents of a kind, including those that are being removed.
func (k *kind) all(t testing.TB, filter bson.D) (docs []bson.M) {
	t.Helper()
	fatal(t, k.Each(context.Background(), filter, func(raw bson.Raw) error {
		doc := bson.M{}
		docs = append(docs, doc)
		return bson.Unmarshal(raw, &doc)
	}, options.Find().SetSort(keys("_id"))))
	return docs
}

// dump is everything in a library except noted removals.
func (w *library) dump(t testing.TB) string {
	t.Helper()
	var lines []string
	for _, k := range w.kinds {
		for _, doc := range k.all(t, bson.D{}) {
			if _, related := doc["target"]; related {
				delete(doc, "_id") // random
			}
			lines = append(lines, fmt.Sprint(k.Name, " ", map[string]any(doc))) // in the order of the field names
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// differences are the lines that are in only one of two dumps.
func differences(before, after string) string {
	var text strings.Builder
	one, other := strings.Split(before, "\n"), strings.Split(after, "\n")
	for _, line := range one {
		if !slices.Contains(other, line) {
			text.WriteString("\n- " + line)
		}
	}
	for _, line := range other {
		if !slices.Contains(one, line) {
			text.WriteString("\n+ " + line)
		}
	}
	return text.String()
}

func (w *library) noted(t testing.TB) int {
	t.Helper()
	n, err := w.removals.CountDocuments(context.Background(), bson.D{})
	fatal(t, err)
	return int(n)
}

// checkWhole walks the registry for what must never exist: wrong counts, documents whose parent is gone, and documents
// that are marked though nobody is removing them.
func (w *library) checkWhole(t testing.TB, name string) {
	t.Helper()
	ctx := context.Background()
	for _, k := range w.kinds {
		for _, doc := range k.all(t, bson.D{}) {
			if doc[deletedAt] != nil {
				t.Errorf("%s: %s %v is marked", name, k.Name, doc["_id"])
			}
			for _, p := range k.Parents {
				parent, named := doc[p.Field].(bson.ObjectID)
				if !named || parent.IsZero() {
					continue
				}
				if n, err := w.kind(p.Kind).CountDocuments(ctx, Where("_id", parent)); n == 0 || err != nil {
					t.Errorf("%s: %s %v has no %s, %v", name, k.Name, doc["_id"], p.Field, err)
				}
			}
		}
		w.checkCounts(t, name, k)
	}
}

// checkCounts compares the counts of a kind with what they count.
func (w *library) checkCounts(t testing.TB, name string, k *kind) {
	t.Helper()
	for _, child := range w.kinds {
		for _, p := range child.hangsOn(k.Name) {
			for _, doc := range k.all(t, bson.D{}) {
				if p.Counter == "" || doc[deletedAt] != nil {
					continue
				}
				filter := child.live(Where(p.Field, doc["_id"]))
				if p.If.Key != "" {
					filter = append(filter, p.If)
				}
				n := int64(0)
				for _, counted := range child.all(t, filter) {
					if p.Sum == nil {
						n++
					}
					for _, field := range p.Sum {
						if v := reflect.ValueOf(counted[field]); v.IsValid() { // otherwise it doesn't exist
							n += v.Int()
						}
					}
				}
				if doc[p.Counter] != n {
					t.Errorf("%s: %s of %v in %s is %v, want %d", name, p.Counter, doc["_id"], k.Name, doc[p.Counter], n)
				}
			}
		}
	}
}

// repaired is what a repair does and reports.
func (w *library) repaired(t testing.TB) (Repaired, []string) {
	t.Helper()
	var said []string
	done, err := w.Repair(context.Background(), Repair{Say: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }})
	fatal(t, err)
	w.mu.Lock()
	w.scans = nil // it reads everything on purpose
	w.mu.Unlock()
	return done, said
}

func get[T any](t testing.TB, d *Documents[T], id bson.ObjectID) *T {
	t.Helper()
	doc, err := d.ByID(context.Background(), id)
	fatal(t, err)
	return doc
}

func fatal(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode fails the test if err isn't an error with this code about this field.
func wantCode(t testing.TB, err error, code apperr.Code, field string) {
	t.Helper()
	e := apperr.From(err)
	if err == nil || e.Code != code {
		t.Fatalf("%v is not %s", err, code)
	}
	if field != "" && !slices.ContainsFunc(e.Fields, func(f apperr.Field) bool { return f.Name == field }) {
		t.Fatalf("%v names no fault of %s", e.Fields, field)
	}
}
