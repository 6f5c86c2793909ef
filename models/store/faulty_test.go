package store

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

var (
	errKilled = errors.New("the process was killed here")
	errBroken = mongo.CommandError{Message: "the connection broke", Labels: []string{"NetworkError"}, Wrapped: io.EOF}
)

// fault is what goes wrong in one call of the database.
type fault struct {
	name    string
	forever bool // the process is killed: nothing works from then on
	reaches bool // the call takes effect, but its caller doesn't learn that
}

var faults = []fault{{name: "fails"}, {name: "gets no answer", reaches: true}, {name: "is killed before", forever: true}, {name: "is killed after", forever: true, reaches: true}}

// mortal is an engine that fails at its n-th call; a commit counts too.
type mortal struct {
	engine
	fault
	transactions bool

	mu     sync.Mutex
	armed  bool
	calls  int // left before the fault
	struck chan struct{}
}

// mortalOn makes a mortal of an engine.
func mortalOn(f fault, made **mortal) func(engine) engine {
	return func(e engine) engine {
		remote, is := e.(*server)
		*made = &mortal{engine: e, fault: f, transactions: !is || remote.transactions, struck: make(chan struct{})}
		return *made
	}
}

func (m *mortal) arm(calls int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed, m.calls = true, calls
}

func (m *mortal) disarm() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed = false
}

func (m *mortal) hit() bool {
	select {
	case <-m.struck:
		return true
	default:
		return false
	}
}

// call makes the call, or doesn't, and may report that it failed.
func (m *mortal) call(do func() error) error {
	m.mu.Lock()
	if m.armed {
		m.calls--
	}
	now, over := m.armed && m.calls == 0, m.armed && m.calls < 0 && m.forever
	m.mu.Unlock()
	if over {
		return errKilled
	}
	if !now {
		return do()
	}
	if m.reaches {
		_ = do()
	}
	close(m.struck)
	if m.forever {
		return errKilled
	}
	return errBroken
}

func (m *mortal) collection(name string) collection { return faulty{m.engine.collection(name), m.call} }

func (m *mortal) atomically(ctx context.Context, do func(context.Context) error) error {
	if !m.transactions {
		return m.engine.atomically(ctx, do)
	}
	var lost error
	err := m.engine.atomically(ctx, func(ctx context.Context) error {
		if err := do(ctx); err != nil {
			return err
		}
		reached := false
		lost = m.call(func() error { reached = true; return nil }) // the commit
		if reached {
			return nil
		}
		return lost
	})
	return cmp.Or(err, lost)
}

// faulty is a collection whose calls all go through call.
type faulty struct {
	collection
	call func(do func() error) error
}

// made hides the result of a call that its caller doesn't learn about.
func made[T any](call func(do func() error) error, do func() (T, error)) (result T, err error) {
	err = call(func() error { result, err = do(); return err })
	if err != nil {
		result = *new(T)
	}
	return result, err
}

func (c faulty) Each(ctx context.Context, f any, visit func(bson.Raw) error, o ...options.Lister[options.FindOptions]) error {
	var found []bson.Raw
	err := c.call(func() error {
		return c.collection.Each(ctx, f, func(raw bson.Raw) error { found = append(found, append(bson.Raw{}, raw...)); return nil }, o...)
	})
	for _, raw := range found {
		if err == nil {
			err = visit(raw)
		}
	}
	return err
}

func (c faulty) CountDocuments(ctx context.Context, f any, o ...options.Lister[options.CountOptions]) (int64, error) {
	return made(c.call, func() (int64, error) { return c.collection.CountDocuments(ctx, f, o...) })
}

func (c faulty) InsertOne(ctx context.Context, doc any, o ...options.Lister[options.InsertOneOptions]) (*mongo.InsertOneResult, error) {
	return made(c.call, func() (*mongo.InsertOneResult, error) { return c.collection.InsertOne(ctx, doc, o...) })
}

func (c faulty) UpdateOne(ctx context.Context, f, u any, o ...options.Lister[options.UpdateOneOptions]) (*mongo.UpdateResult, error) {
	return made(c.call, func() (*mongo.UpdateResult, error) { return c.collection.UpdateOne(ctx, f, u, o...) })
}

func (c faulty) FindOneAndUpdateRaw(ctx context.Context, f, u any, o ...options.Lister[options.FindOneAndUpdateOptions]) (bson.Raw, error) {
	return made(c.call, func() (bson.Raw, error) { return c.collection.FindOneAndUpdateRaw(ctx, f, u, o...) })
}

func (c faulty) FindOneAndDeleteRaw(ctx context.Context, f any, o ...options.Lister[options.FindOneAndDeleteOptions]) (bson.Raw, error) {
	return made(c.call, func() (bson.Raw, error) { return c.collection.FindOneAndDeleteRaw(ctx, f, o...) })
}

func (c faulty) DeleteOne(ctx context.Context, f any, o ...options.Lister[options.DeleteOneOptions]) (*mongo.DeleteResult, error) {
	return made(c.call, func() (*mongo.DeleteResult, error) { return c.collection.DeleteOne(ctx, f, o...) })
}

func (c faulty) DeleteMany(ctx context.Context, f any, o ...options.Lister[options.DeleteManyOptions]) (*mongo.DeleteResult, error) {
	return made(c.call, func() (*mongo.DeleteResult, error) { return c.collection.DeleteMany(ctx, f, o...) })
}

func (c faulty) UpdateMany(ctx context.Context, f, u any, o ...options.Lister[options.UpdateManyOptions]) (*mongo.UpdateResult, error) {
	return made(c.call, func() (*mongo.UpdateResult, error) { return c.collection.UpdateMany(ctx, f, u, o...) })
}

// change is an action of a user.
type change struct {
	name string
	do   func(context.Context, *library) error
}

var changes = []change{
	{"insert a book", func(ctx context.Context, w *library) error {
		return w.books.Insert(ctx, &book{ID: id(15), Author: alice, Series: saga, Visibility: "public", Pages: 7})
	}},
	{"insert a draft", func(ctx context.Context, w *library) error {
		return w.books.Insert(ctx, &book{ID: id(15), Author: alice, Visibility: "draft"})
	}},
	{"answer", func(ctx context.Context, w *library) error {
		return w.reviews.Insert(ctx, &review{ID: id(24), Book: his, Author: &bob, To: praise})
	}},
	{"star", func(ctx context.Context, w *library) error { return w.stars.Add(ctx, bob, single) }},
	{"end a star", func(ctx context.Context, w *library) error { return w.stars.Remove(ctx, bob, published) }},
	{"publish", func(ctx context.Context, w *library) error {
		_, err := w.books.Update(ctx, Where("_id", draft), bson.D{Set("visibility", "public")})
		return err
	}},
	{"hide", func(ctx context.Context, w *library) error {
		_, err := w.books.Update(ctx, Where("_id", published), bson.D{Set("visibility", "draft", "title", "hidden")})
		return err
	}},
	{"rename", func(ctx context.Context, w *library) error {
		_, err := w.authors.Update(ctx, Where("_id", alice), bson.D{Set("name", "alicia")})
		return err
	}},
	{"note", func(ctx context.Context, w *library) error {
		return w.notes.Upsert(ctx, Where("_id", "b"), bson.D{Set("key", "b", "n", 2)})
	}},
	{"remove a review", func(ctx context.Context, w *library) error { return w.reviews.Remove(ctx, praise, nil) }},
	{"answer a placeholder", func(ctx context.Context, w *library) error {
		return w.talks.Insert(ctx, &talk{ID: id(56), Book: his, Author: bob, To: empty, State: "said"})
	}},
	{"remove a talk", func(ctx context.Context, w *library) error { return w.talks.Remove(ctx, lone, Where("author", alice)) }},
	{"leave a placeholder", func(ctx context.Context, w *library) error { return w.talks.Remove(ctx, asked, Where("author", alice)) }},
	{"remove an answer", func(ctx context.Context, w *library) error {
		return w.talks.Remove(ctx, answered, Where("author", bob))
	}},
	{"remove the last answer", func(ctx context.Context, w *library) error { return w.talks.Remove(ctx, late, Where("author", alice)) }},
	{"remove a book", func(ctx context.Context, w *library) error { return w.books.Remove(ctx, his, Where("author", bob)) }},
	{"remove an author", func(ctx context.Context, w *library) error { return w.authors.Remove(ctx, alice, nil) }},
}

// Whatever goes wrong in any call of any action: it happens completely or not at all, and every count is right. Without
// transactions, the documents are right, and the counts are after a repair.
func TestEveryChangeHappensWhollyOrNotAtAll(t *testing.T) {
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			like := stocked(t)
			w := like.copy(t).open(t, nil)
			defer func() { fatal(t, w.Close(context.Background())) }()
			before := w.dump(t)
			fatal(t, c.do(t.Context(), w))
			w.WaitRemovals()
			w.checkWhole(t, "without a fault")
			after := w.dump(t)
			if before == after {
				t.Fatal("it changes nothing")
			}
			for _, f := range faults {
				t.Run(f.name, func(t *testing.T) {
					t.Parallel()
					calls := 1
					for ; strike(t, c, f, calls, like, before, after); calls++ {
						if calls > 400 {
							t.Fatal("it never ends")
						}
					}
					if calls == 1 {
						t.Error("there was no fault")
					}
				})
			}
		})
	}
}

// strike reports whether there was such a call.
func strike(t *testing.T, c change, f fault, calls int, like place, before, after string) bool {
	t.Helper()
	ctx, where := context.Background(), like.copy(t)
	var m *mortal
	w := where.open(t, mortalOn(f, &m))
	m.arm(calls)
	result := c.do(ctx, w)
	settled := make(chan struct{})
	go func(db *DB) { db.WaitRemovals(); close(settled) }(w.DB)
	select {
	case <-settled:
	case <-m.struck:
	}
	if m.hit() && f.forever {
		fatal(t, w.Close(ctx))
		w = where.open(t, nil)
	} else {
		m.disarm()
	}
	w.WaitRemovals()
	defer func() {
		fatal(t, w.Close(ctx))
		where.discard(t)
	}()
	if !w.exact {
		w.repaired(t)
	}
	now := w.dump(t)
	switch {
	case result == nil && now != after, result != nil && !f.reaches && w.exact && now != before, now != before && now != after:
		t.Errorf("call %d %s (%v), and this changed: %s", calls, f.name, result, differences(before, now))
	}
	w.checkWhole(t, f.name)
	if n := w.noted(t); n > 0 && (w.exact || now == after) {
		t.Errorf("call %d %s: %d removals are left", calls, f.name, n)
	}
	if done, said := w.repaired(t); done != (Repaired{}) {
		t.Errorf("call %d %s: a repair finds %q", calls, f.name, said)
	}
	return m.hit()
}
