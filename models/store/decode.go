package store

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// decoder fills structs of one type from documents, like bson.Unmarshal. It analyses the type once, and sets fields of
// common types directly. The driver does several lookups and allocations per field, which was a third of the cost of a
// feed.
type decoder struct{ fields []decoderField }

type decoderField struct {
	name  string
	index int
	set   setter // nil: the driver decodes it
}

// setter puts a value into a field. It returns false for a value of an unsupported type.
type setter func(field reflect.Value, v bson.RawValue) bool

// newDecoder analyses T. It returns nil if the driver does more with a T than set its fields by name.
func newDecoder[T any]() *decoder {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct || decodesItself(t) {
		return nil
	}
	d := &decoder{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("bson"), ",")
		if strings.Contains(options, "inline") {
			return nil
		}
		if !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		d.fields = append(d.fields, decoderField{name, i, setterFor(f.Type)})
	}
	return d
}

func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[bson.Unmarshaler]()) || p.Implements(reflect.TypeFor[bson.ValueUnmarshaler]())
}

// setterFor returns the setter for fields of a type, or nil.
func setterFor(t reflect.Type) setter {
	switch {
	case t == reflect.TypeFor[bson.ObjectID]():
		return setObjectID
	case t == reflect.TypeFor[time.Time]():
		return setTime
	case t == reflect.TypeFor[*time.Time]():
		return setTimePointer
	case t == reflect.TypeFor[[]string]():
		return setStrings
	case decodesItself(t):
		return nil
	}
	switch t.Kind() {
	case reflect.String:
		return setString
	case reflect.Int, reflect.Int64:
		return setInt
	case reflect.Float64:
		return setFloat
	case reflect.Bool:
		return setBool
	}
	return nil
}

// decode sets the fields of doc, a pointer to a new T, from the document.
func (d *decoder) decode(raw bson.Raw, doc any) error {
	if d == nil {
		return bson.Unmarshal(raw, doc)
	}
	length, rest, ok := bsoncore.ReadLength(raw)
	ok = ok && int(length) == len(raw)
	target, at := reflect.ValueOf(doc).Elem(), 0
	for ok && len(rest) > 1 {
		var e bsoncore.Element
		if e, rest, ok = bsoncore.ReadElement(rest); !ok {
			break
		}
		f := d.find(e.KeyBytes(), &at)
		if f == nil {
			continue
		}
		core, field := e.Value(), target.Field(f.index)
		v := bson.RawValue{Type: bson.Type(core.Type), Value: core.Data}
		if f.set != nil && f.set(field, v) {
			continue
		}
		if err := v.Unmarshal(field.Addr().Interface()); err != nil {
			return fmt.Errorf("field %s: %w", f.name, err)
		}
	}
	if !ok {
		return fmt.Errorf("a document of %d bytes is damaged", len(raw))
	}
	return nil
}

// find starts looking after the field that was found last, since documents usually have the order of the struct.
func (d *decoder) find(name []byte, at *int) *decoderField {
	for range d.fields {
		f := &d.fields[*at]
		*at = (*at + 1) % len(d.fields)
		if f.name == string(name) {
			return f
		}
	}
	return nil
}

func setObjectID(field reflect.Value, v bson.RawValue) bool {
	id, ok := v.ObjectIDOK()
	if ok {
		*field.Addr().Interface().(*bson.ObjectID) = id
	}
	return ok
}

func setTime(field reflect.Value, v bson.RawValue) bool {
	ms, ok := v.DateTimeOK()
	if ok {
		*field.Addr().Interface().(*time.Time) = time.UnixMilli(ms).UTC()
	}
	return ok
}

func setTimePointer(field reflect.Value, v bson.RawValue) bool {
	ms, ok := v.DateTimeOK()
	if ok {
		t := time.UnixMilli(ms).UTC()
		*field.Addr().Interface().(**time.Time) = &t
	}
	return ok
}

func setStrings(field reflect.Value, v bson.RawValue) bool {
	list, ok := v.ArrayOK()
	if !ok {
		return false
	}
	values, err := list.Values()
	texts := make([]string, len(values))
	for i, v := range values {
		if texts[i], ok = v.StringValueOK(); !ok {
			return false
		}
	}
	*field.Addr().Interface().(*[]string) = texts
	return err == nil
}

func setString(field reflect.Value, v bson.RawValue) bool {
	text, ok := v.StringValueOK()
	if ok {
		field.SetString(text)
	}
	return ok
}

func setInt(field reflect.Value, v bson.RawValue) bool {
	n, ok := v.Int64OK()
	if small, isSmall := v.Int32OK(); isSmall {
		n, ok = int64(small), true
	}
	if ok {
		field.SetInt(n)
	}
	return ok
}

func setFloat(field reflect.Value, v bson.RawValue) bool {
	n, ok := v.DoubleOK()
	if ok {
		field.SetFloat(n)
	}
	return ok
}

func setBool(field reflect.Value, v bson.RawValue) bool {
	is, ok := v.BooleanOK()
	if ok {
		field.SetBool(is)
	}
	return ok
}
