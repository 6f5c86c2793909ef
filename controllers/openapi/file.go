package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// file is the part of openapi.json that the page shows.
type file struct {
	Info struct {
		Description string
	}
	Tags       []struct{ Name, Description string }
	Security   []map[string][]string
	Paths      ordered[pathItem]
	Components struct {
		Parameters    map[string]parameter
		RequestBodies map[string]requestBody
		Responses     map[string]response
		Schemas       ordered[schema]
	}
}

type pathItem struct {
	Parameters                    []parameter
	Get, Post, Put, Patch, Delete *operation
}

type operation struct {
	OperationID, Summary, Description string
	Tags                              []string
	Security                          *[]map[string][]string
	Parameters                        []parameter
	RequestBody                       *requestBody
	Responses                         ordered[response]
}

type parameter struct {
	Ref                   string `json:"$ref"`
	Name, In, Description string
	Required              bool
	Schema                schema
	Example               string
}

type requestBody struct {
	Ref     string `json:"$ref"`
	Content ordered[media]
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Content     ordered[media]
}

type media struct {
	Schema  schema
	Example json.RawMessage
}

type schema struct {
	Ref                  string `json:"$ref"`
	Description          string
	Type                 any // a string, or an array of strings
	Properties           ordered[schema]
	Required             []string
	AllOf, AnyOf         []schema
	Items                *schema
	Enum                 []any
	Const, Default       any
	MinLength, MaxLength int
	ContentMediaType     string
}

// ordered is a JSON object that keeps the file's order.
type ordered[T any] []entry[T]

type entry[T any] struct {
	Name  string
	Value T
}

// UnmarshalJSON parses the object.
func (o *ordered[T]) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return fmt.Errorf("an object was expected: %w", err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		e := entry[T]{Name: name.(string)} // in an object, every second token is a name
		if err := d.Decode(&e.Value); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
		*o = append(*o, e)
	}
	return nil
}

func (o ordered[T]) find(name string) (found T) {
	for _, e := range o {
		if e.Name == name {
			return e.Value
		}
	}
	return found
}

// refName is the last part of a reference: all of ours refer to components of the same file.
func refName(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }

func (f *file) parameter(p parameter) parameter {
	if p.Ref != "" {
		return f.Components.Parameters[refName(p.Ref)]
	}
	return p
}

func (f *file) body(b *requestBody) *requestBody {
	if b != nil && b.Ref != "" {
		body := f.Components.RequestBodies[refName(b.Ref)]
		return &body
	}
	return b
}

func (f *file) response(r response) response {
	if r.Ref != "" {
		return f.Components.Responses[refName(r.Ref)]
	}
	return r
}

func (f *file) schema(s schema) schema {
	if s.Ref != "" {
		return f.Components.Schemas.find(refName(s.Ref))
	}
	return s
}
