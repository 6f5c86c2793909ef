package store

import (
	"reflect"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

type word string

// shout is a type that decodes itself.
type shout string

func (s *shout) UnmarshalBSONValue(t byte, data []byte) error {
	*s = shout(bson.RawValue{Type: bson.Type(t), Value: data}.StringValue() + "!")
	return nil
}

type part struct {
	Name string `bson:"name"`
}

type sample struct {
	ID      bson.ObjectID `bson:"_id"`
	Word    word          `bson:"word"`
	Shout   shout         `bson:"shout"`
	Words   []string      `bson:"words"`
	Number  int64         `bson:"number"`
	Small   int           `bson:"small"`
	Tiny    int32         `bson:"tiny"`
	Float   float64       `bson:"float"`
	Is      bool          `bson:"is"`
	At      time.Time     `bson:"at"`
	Since   *time.Time    `bson:"since,omitempty"`
	Data    []byte        `bson:"data"`
	Part    part          `bson:"part"`
	Parts   []part        `bson:"parts"`
	Pointer *part         `bson:"pointer,omitempty"`
	NoTag   string
	Not     string `bson:"-"`
	hidden  string
}

func at(year int) time.Time { return time.Date(year, 2, 3, 4, 5, 6, 7_000_000, time.UTC) }

// same decodes a document both ways.
func same[T any](t *testing.T, doc any) {
	t.Helper()
	raw, err := bson.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var want, got T
	wantErr, gotErr := bson.Unmarshal(raw, &want), newDecoder[T]().decode(raw, &got)
	if (wantErr == nil) != (gotErr == nil) {
		t.Fatalf("%v: error %v, want %v", doc, gotErr, wantErr)
	}
	if wantErr == nil && !reflect.DeepEqual(got, want) {
		t.Errorf("%v:\n got %+v\nwant %+v", doc, got, want)
	}
}

func TestDecoderDoesWhatTheDriverDoes(t *testing.T) {
	since := at(1969)
	full := sample{
		ID: bson.NewObjectID(), Word: "w", Shout: "s", Words: []string{"a", ""}, Number: 1 << 40, Small: -3, Tiny: 4, Float: 1.5, Is: true,
		At: at(2026), Since: &since, Data: []byte{1, 2}, Part: part{"p"}, Parts: []part{{"q"}}, Pointer: &part{"r"}, NoTag: "n", Not: "x", hidden: "y",
	}
	same[sample](t, full)
	same[sample](t, sample{})
	same[sample](t, sample{Words: []string{}})
	same[sample](t, bson.D{})
	same[sample](t, bson.D{{Key: "is", Value: true}, {Key: "unknown", Value: bson.D{{Key: "word", Value: "inner"}}}, {Key: "word", Value: "late"}, {Key: "not", Value: "x"}, {Key: "hidden", Value: "x"}})
	for _, name := range []string{"_id", "word", "words", "number", "small", "float", "is", "at", "since", "part"} {
		for _, value := range []any{nil, int32(1), int64(2), 3.0, 3.5, true, "text", at(2026), bson.NewObjectID(), bson.A{}, bson.A{"a", 1}, bson.A{nil}, bson.D{}} {
			same[sample](t, bson.D{{Key: name, Value: value}})
		}
	}
}

type inner struct {
	Word string `bson:"word"`
}

type withInline struct {
	inner `bson:",inline"`
	Other string `bson:"other"`
}

type ownWay struct{ word string }

func (o *ownWay) UnmarshalBSON(raw []byte) error {
	o.word = bson.Raw(raw).Lookup("word").StringValue()
	return nil
}

func TestWhatTheDecoderDoesNotKnowIsLeftToTheDriver(t *testing.T) {
	doc := bson.D{{Key: "word", Value: "w"}, {Key: "other", Value: "o"}}
	same[withInline](t, doc)
	same[ownWay](t, doc)
	same[bson.D](t, doc)
	same[map[string]any](t, doc)
}

func TestDamagedDocumentIsAnError(t *testing.T) {
	raw, _ := bson.Marshal(bson.D{{Key: "word", Value: "a long word"}, {Key: "number", Value: int64(1)}})
	for n := range raw {
		if err := newDecoder[sample]().decode(raw[:n], new(sample)); err == nil {
			t.Errorf("cut off after %d bytes: no error", n)
		}
	}
}
