package openapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

const base = "/api/v1"

// docsPage is the content of the page.
type docsPage struct {
	About   []words       `json:"about"` // paragraphs
	Groups  []group       `json:"groups"`
	Errors  []result      `json:"errors"`
	Schemas []schemaShown `json:"schemas"`
}

type group struct {
	Name       string           `json:"name"`
	Slug       string           `json:"slug"`
	About      words            `json:"about"`
	Operations []operationShown `json:"operations"`
}

type operationShown struct {
	ID         string   `json:"id"`
	Method     string   `json:"method"`
	Path       string   `json:"path"`
	Summary    string   `json:"summary"`
	About      words    `json:"about"`
	Access     string   `json:"access"`
	Parameters []field  `json:"parameters"`
	BodyTypes  []string `json:"bodyTypes"`
	Body       []field  `json:"body"`
	Success    []result `json:"success"`
	Errors     []string `json:"errors"` // statuses
	Curl       string   `json:"curl"`
}

// result is a response: its data has a type, or its own fields.
type result struct {
	Status string  `json:"status"`
	About  words   `json:"about"`
	Type   typed   `json:"type"`
	Fields []field `json:"fields"`
}

type schemaShown struct {
	Name   string  `json:"name"`
	About  words   `json:"about"`
	Fields []field `json:"fields"`
}

type field struct {
	Name     string `json:"name"`
	In       string `json:"in,omitempty"` // where a parameter is
	Type     typed  `json:"type"`
	Required bool   `json:"required"`
	About    words  `json:"about"`
}

// typed is a type in words. If it is a schema on the page, the last word is its name.
type typed struct {
	Words  string `json:"words,omitempty"`
	Schema string `json:"schema,omitempty"`
}

// words are a text, parts of which are code.
type words []piece

type piece struct {
	Text string `json:"text"`
	Code bool   `json:"code"`
}

func wordsOf(text string) (all words) {
	for i, text := range strings.Split(text, "`") {
		if text != "" {
			all = append(all, piece{text, i%2 == 1})
		}
	}
	return all
}

// newPage builds the page from the file. Its examples are for the site at siteURL.
func newPage(text []byte, siteURL string) (docsPage, error) {
	var f file
	if err := json.Unmarshal(text, &f); err != nil {
		return docsPage{}, fmt.Errorf("openapi.json: %w", err)
	}
	var page docsPage
	for paragraph := range strings.SplitSeq(f.Info.Description, "\n\n") {
		page.About = append(page.About, wordsOf(paragraph))
	}
	for _, tag := range f.Tags {
		page.Groups = append(page.Groups, group{Name: tag.Name, Slug: "about-" + strings.ReplaceAll(tag.Name, " ", "-"), About: wordsOf(tag.Description)})
	}
	for _, item := range f.Paths {
		for _, o := range item.Value.operations() {
			shown := f.operation(item, o, siteURL)
			page.noteErrors(&f, o.Value)
			i := slices.IndexFunc(page.Groups, func(g group) bool { return slices.Contains(o.Value.Tags, g.Name) })
			if i < 0 {
				return docsPage{}, fmt.Errorf("openapi.json: %s %s has none of the tags", o.Name, item.Name)
			}
			page.Groups[i].Operations = append(page.Groups[i].Operations, shown)
		}
	}
	slices.SortFunc(page.Errors, func(a, b result) int { return strings.Compare(a.Status, b.Status) })
	for _, s := range f.Components.Schemas {
		if fields := f.fields(s.Value, ""); len(fields) > 0 {
			page.Schemas = append(page.Schemas, schemaShown{s.Name, wordsOf(s.Value.Description), fields})
		}
	}
	return page, nil
}

func (p pathItem) operations() (all ordered[operation]) {
	for _, o := range []struct {
		method string
		*operation
	}{{"GET", p.Get}, {"POST", p.Post}, {"PUT", p.Put}, {"PATCH", p.Patch}, {"DELETE", p.Delete}} {
		if o.operation != nil {
			all = append(all, entry[operation]{o.method, *o.operation})
		}
	}
	return all
}

func isError(status string) bool { return status[0] == '4' || status[0] == '5' }

// noteErrors adds an operation's errors that no earlier operation had: a status means the same everywhere.
func (p *docsPage) noteErrors(f *file, o operation) {
	for _, r := range o.Responses {
		if isError(r.Name) && !slices.ContainsFunc(p.Errors, func(e result) bool { return e.Status == r.Name }) {
			p.Errors = append(p.Errors, result{Status: r.Name, About: wordsOf(f.response(r.Value).Description)})
		}
	}
}

func (f *file) operation(item entry[pathItem], o entry[operation], siteURL string) operationShown {
	shown := operationShown{
		ID: o.Value.OperationID, Method: o.Name, Path: base + item.Name, Summary: o.Value.Summary,
		About: wordsOf(o.Value.Description), Access: f.access(o.Value),
	}
	path := siteURL + shown.Path
	for _, p := range append(slices.Clone(item.Value.Parameters), o.Value.Parameters...) {
		p = f.parameter(p)
		path = strings.ReplaceAll(path, "{"+p.Name+"}", p.Example)
		shown.Parameters = append(shown.Parameters, field{p.Name, p.In, f.typed(p.Schema), p.Required, f.about(p.Description, p.Schema)})
	}
	body := f.body(o.Value.RequestBody)
	if body != nil {
		for _, content := range body.Content {
			shown.BodyTypes = append(shown.BodyTypes, content.Name)
		}
		shown.Body = f.fields(body.Content[len(body.Content)-1].Value.Schema, "") // the last type can contain files too
	}
	for _, r := range o.Value.Responses {
		if isError(r.Name) {
			shown.Errors = append(shown.Errors, r.Name)
			continue
		}
		shown.Success = append(shown.Success, f.result(r))
	}
	shown.Curl = curl(o.Name, path, shown.Access, body)
	return shown
}

// Who may call an operation.
const (
	anybody   = "Anybody."
	asUser    = "Logged-in users."
	asAnybody = "Anybody. Logged-in users see more."
)

func (f *file) access(o operation) string {
	security := f.Security
	if o.Security != nil {
		security = *o.Security
	}
	switch {
	case len(security) == 0:
		return anybody
	case slices.ContainsFunc(security, func(one map[string][]string) bool { return len(one) == 0 }):
		return asAnybody
	}
	return asUser
}

func (f *file) result(r entry[response]) result {
	described := f.response(r.Value)
	out := result{Status: r.Name, About: wordsOf(described.Description)}
	for _, content := range described.Content {
		if content.Name != "application/json" {
			out.Type.Words = content.Name
			continue
		}
		data := content.Value.Schema.Properties.find("data")
		out.Type = f.typed(data)
		if out.Type.Schema == "" {
			out.Fields = f.fields(data, "")
		}
	}
	return out
}

// fields are an object's fields, including those of the schemas it combines and of unnamed objects inside it.
func (f *file) fields(s schema, prefix string) (all []field) {
	if s.Ref != "" {
		return f.fields(f.schema(s), prefix)
	}
	for _, part := range s.AllOf {
		all = append(all, f.fields(part, prefix)...)
	}
	for i := range all {
		all[i].Required = all[i].Required || slices.Contains(s.Required, all[i].Name)
	}
	for _, p := range s.Properties {
		name := prefix + p.Name
		all = append(all, field{Name: name, Type: f.typed(p.Value), Required: slices.Contains(s.Required, p.Name), About: f.about(p.Value.Description, p.Value)})
		if p.Value.Properties != nil {
			all = append(all, f.fields(p.Value, name+".")...)
		}
		if p.Value.Items != nil && p.Value.Items.Properties != nil {
			all = append(all, f.fields(*p.Value.Items, name+"[].")...)
		}
	}
	return all
}

func (f *file) typed(s schema) typed {
	target := f.schema(s)
	switch {
	case s.Ref != "" && len(f.fields(target, "")) > 0:
		return typed{Schema: refName(s.Ref)}
	case s.Ref != "":
		return f.typed(target)
	case s.Items != nil:
		of := f.typed(*s.Items)
		return typed{strings.TrimSpace("list of " + of.Words), of.Schema}
	case len(s.AnyOf) > 0: // something, or null
		of := f.typed(s.AnyOf[0])
		return typed{strings.TrimSpace("null or " + of.Words), of.Schema}
	case s.ContentMediaType != "":
		return typed{Words: "file"}
	case s.Const != nil:
		return typed{Words: fmt.Sprint(s.Const)}
	}
	switch t := s.Type.(type) {
	case string:
		return typed{Words: t}
	case []any:
		return typed{Words: strings.ReplaceAll(strings.Trim(fmt.Sprint(t), "[]"), " ", " or ")}
	}
	return typed{Words: "anything"}
}

// about is a description plus the schema's rules.
func (f *file) about(text string, s schema) words {
	target := f.schema(s)
	if text == "" && len(f.fields(target, "")) == 0 {
		text = target.Description
	}
	parts := []string{text}
	if len(target.Enum) > 0 {
		parts = append(parts, "One of: "+strings.ReplaceAll(strings.Trim(fmt.Sprint(target.Enum), "[]"), " ", ", ")+".")
	}
	if target.MaxLength > 0 && target.MinLength <= 1 {
		parts = append(parts, fmt.Sprintf("At most %d characters.", target.MaxLength))
	}
	if target.Default != nil {
		parts = append(parts, fmt.Sprintf("Default: %v.", target.Default))
	}
	return wordsOf(strings.TrimSpace(strings.Join(parts, " ")))
}

// curl is a command line that sends the request.
func curl(method, url, access string, body *requestBody) string {
	line := "curl"
	switch {
	case access != anybody:
		line += " -b jar -c jar"
	case method == "POST":
		line += " -c jar"
	}
	if method != "GET" {
		line += " -X " + method
	}
	line += " " + url
	if body == nil {
		return line
	}
	example := body.Content[0]
	if example.Name == "application/json" {
		return line + " -H 'Content-Type: application/json' -d " + quoted(string(example.Value.Example))
	}
	var fields ordered[any]
	if json.Unmarshal(example.Value.Example, &fields) == nil {
		for _, f := range fields {
			line += " -F " + quoted(fmt.Sprintf("%s=%v", f.Name, f.Value))
		}
	}
	return line
}

func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
