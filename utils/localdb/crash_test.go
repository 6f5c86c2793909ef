package localdb

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

const (
	crashWriters = 8
	crashRounds  = "LOCALDB_CRASH_ROUNDS" // more rounds, for a long run
	crashStarts  = "LOCALDB_CRASH_STARTS" // for the child: each writer's first step
)

// said is a line of the child's output. It is written after the call has returned, not before.
type said struct {
	What           string // step, count, claim or pair
	Writer, Number int
}

// TestCrash repeatedly kills a process in the middle of its writes. Each writer's steps follow from their numbers, so
// its documents must be in a known state: either after the last acknowledged step, or after the one in flight. In
// addition, all writers increment a counter, compete for names, and make pairs: two documents and their number.
func TestCrash(t *testing.T) {
	rounds := 12
	if more, err := strconv.Atoi(os.Getenv(crashRounds)); err == nil {
		rounds = more
	}
	path := filepath.Join(t.TempDir(), "test.db")
	w := world{claims: map[int]int{}, pairs: map[string]bool{}}
	for i := range w.writers {
		w.writers[i].things = map[int]thing{}
	}
	steps := 0
	for round := range rounds {
		delay := time.Duration(rand.IntN(250)) * time.Millisecond
		if round%4 == 1 {
			delay /= 10 // around the start
		}
		acknowledged := runAndKill(t, path, delay, w.starts())
		steps += len(acknowledged)
		t.Logf("round %d: killed after %v, %d writes acknowledged", round, delay, len(acknowledged))
		if steps == 0 {
			removeEmpty(t, path)
		}
		w.listen(t, acknowledged)
		db, err := Open(path)
		ok(t, err)
		w.compare(t, db)
		ok(t, db.Check(ctx))
		ok(t, db.Close())
	}
	if steps < rounds {
		t.Fatalf("%d writes in %d rounds prove nothing", steps, rounds)
	}
}

// removeEmpty does what the engine advises if a process was killed in the instant between creating a file and filling
// it.
func removeEmpty(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	ok(t, err)
	if info.Size() == 0 {
		ok(t, os.Remove(path))
	}
}

func runAndKill(t *testing.T, path string, delay time.Duration, starts string) (acknowledged []said) {
	t.Helper()
	c := child(t, "crash", path, crashStarts+"="+starts)
	out, err := c.StdoutPipe()
	ok(t, err)
	ok(t, c.Start())
	kill := time.AfterFunc(delay, func() { _ = c.Process.Kill() })
	defer kill.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var s said
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("the child said %s", lines.Text())
		}
		acknowledged = append(acknowledged, s)
	}
	_ = c.Wait() // it was killed
	return acknowledged
}

// world is what the file must contain.
type world struct {
	writers [crashWriters]struct {
		steps  int // how many are complete
		things map[int]thing
	}
	least  int         // the minimum value of the counter
	claims map[int]int // who got which name
	pairs  map[string]bool
}

func (w *world) starts() string {
	var list [crashWriters]int
	for i := range w.writers {
		list[i] = w.writers[i].steps
	}
	b, _ := json.Marshal(list) // numbers can always be marshalled
	return string(b)
}

func (w *world) listen(t *testing.T, acknowledged []said) {
	t.Helper()
	for _, s := range acknowledged {
		switch s.What {
		case "step":
			equal(t, "step of a writer", s.Number, w.writers[s.Writer].steps)
			apply(w.writers[s.Writer].things, s.Writer, s.Number)
			w.writers[s.Writer].steps++
		case "count":
			w.least++
		case "claim":
			if other, taken := w.claims[s.Number]; taken {
				t.Fatalf("name %d was given to %d and to %d", s.Number, other, s.Writer)
			}
			w.claims[s.Number] = s.Writer
		case "pair":
			w.pairs[pairOf(s.Writer, s.Number)] = true
		}
	}
}

func (w *world) compare(t *testing.T, db *DB) {
	t.Helper()
	for i := range w.writers {
		me := &w.writers[i]
		found := thingsOf(t, db, i)
		if reflect.DeepEqual(found, me.things) {
			continue
		}
		apply(me.things, i, me.steps) // the step in flight
		me.steps++
		if !reflect.DeepEqual(found, me.things) {
			t.Fatalf("writer %d after step %d:\nfound %v\nwant  %v or as before that step", i, me.steps-1, found, me.things)
		}
	}
	for k, i := range w.claims {
		var got struct{ By int }
		ok(t, db.Collection("claims").FindOne(ctx, d{{Key: "name", Value: k}}).Decode(&got))
		equal(t, "who has a name", got.By, i)
	}
	var counter struct{ N int }
	err := db.Collection("counters").FindOne(ctx, d{{Key: "_id", Value: "all"}}).Decode(&counter)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		t.Fatal(err)
	}
	if counter.N < w.least || counter.N > w.least+crashWriters {
		t.Fatalf("the counter is %d, %d increments were acknowledged", counter.N, w.least)
	}
	w.least = counter.N
	w.comparePairs(t, db)
}

// comparePairs: documents that were written together exist together, and are counted, or don't exist at all.
func (w *world) comparePairs(t *testing.T, db *DB) {
	t.Helper()
	rights := map[string]bool{}
	ok(t, db.Collection("rights").Each(ctx, d{}, func(raw bson.Raw) error {
		rights[raw.Lookup("_id").StringValue()] = true
		return nil
	}))
	lefts := 0
	ok(t, db.Collection("lefts").Each(ctx, d{}, func(raw bson.Raw) error {
		lefts++
		id := raw.Lookup("_id").StringValue()
		if !rights[id] {
			t.Errorf("of the pair %s only one half is there", id)
		}
		var writer, number int
		if _, err := fmt.Sscanf(id, "%d-%d", &writer, &number); err != nil || number%3 == 0 {
			t.Errorf("the pair %s was given up: %v", id, err)
		}
		return nil
	}))
	equal(t, "right halves", len(rights), lefts)
	var counter struct{ N int }
	err := db.Collection("counters").FindOne(ctx, d{{Key: "_id", Value: "pairs"}}).Decode(&counter)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		t.Fatal(err)
	}
	equal(t, "pairs by the counter", counter.N, lefts)
	for id := range w.pairs {
		if !rights[id] {
			t.Errorf("the pair %s was acknowledged and is not there", id)
		}
	}
}

func pairOf(writer, number int) string { return fmt.Sprint(writer, "-", number) }

// makePair gives up every third pair after making it.
func makePair(db *DB, writer, number int) error {
	err := db.Atomically(ctx, func(inner context.Context) error {
		id := pairOf(writer, number)
		err := errors.Join(add(inner, db.Collection("lefts"), id), increase(inner, db.Collection("counters"), "pairs"), add(inner, db.Collection("rights"), id))
		if err == nil && number%3 == 0 {
			return errOnPurpose
		}
		return err
	})
	if (number%3 == 0) != (err == errOnPurpose) {
		return fmt.Errorf("giving up a pair: %w", err)
	}
	return err
}

func writeUntilKilled(path string) error {
	var starts [crashWriters]int
	if err := json.Unmarshal([]byte(os.Getenv(crashStarts)), &starts); err != nil {
		return err
	}
	db, err := Open(path)
	if err != nil {
		return err
	}
	if err := prepareThings(db); err != nil {
		return err
	}
	failed := make(chan error)
	var saying sync.Mutex
	say := func(what string, writer, number int, err error) {
		if err != nil {
			failed <- fmt.Errorf("%s %d of writer %d: %w", what, number, writer, err)
		}
		line, _ := json.Marshal(said{what, writer, number}) // numbers and a word can always be marshalled
		saying.Lock()
		defer saying.Unlock()
		fmt.Println(string(line))
	}
	for i, start := range starts {
		go func() {
			for n := start; ; n++ {
				say("step", i, n, step(db, i, n))
				_, err := db.Collection("counters").UpdateOne(ctx, d{{Key: "_id", Value: "all"}},
					d{{Key: "$inc", Value: d{{Key: "n", Value: int64(1)}}}}, options.UpdateOne().SetUpsert(true))
				say("count", i, n, err)
				_, err = db.Collection("claims").InsertOne(ctx, d{{Key: "name", Value: n}, {Key: "by", Value: i}})
				if !mongo.IsDuplicateKeyError(err) {
					say("claim", i, n, err)
				}
				if err := makePair(db, i, n); err != errOnPurpose {
					say("pair", i, n, err)
				}
			}
		}()
	}
	// An index is built in the middle of it.
	err = db.Collection("things").EnsureIndexes(ctx, []mongo.IndexModel{{Keys: d{{Key: "n", Value: 1}, {Key: "tags", Value: -1}},
		Options: options.Index().SetName("from " + fmt.Sprint(starts))}})
	if err != nil {
		return err
	}
	return <-failed
}
