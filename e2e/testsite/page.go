package testsite

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// Form is a form on a page.
type Form struct {
	Method    string // GET or POST
	Action    string
	Multipart bool
	Fields    []Field
}

// Field is what a form sends under one name.
type Field struct {
	Name, Type, Value string
	Accept            string   // of a file
	Options           []string // the options, if it is a choice
}

// Page is the response, parsed as HTML.
func (a *Answer) Page() *html.Node {
	a.t.Helper()
	if a.page == nil {
		page, err := html.Parse(strings.NewReader(a.Body))
		check(a.t, err)
		a.page = page
	}
	return a.page
}

// IsPage reports whether a browser shows the response as a page.
func (a *Answer) IsPage() bool {
	return strings.HasPrefix(a.Header.Get("Content-Type"), "text/html")
}

// Addresses are the values of an attribute, on all elements of this name, that link to this site, without duplicates
// and fragments.
func (a *Answer) Addresses(element, attribute string) []string {
	a.t.Helper()
	var all []string
	for n := range a.Page().Descendants() {
		value, ok := Attribute(n, attribute)
		if n.Type != html.ElementNode || n.Data != element || !ok {
			continue
		}
		if path, ok := a.resolve(value); ok && !slices.Contains(all, path) {
			all = append(all, path)
		}
	}
	return all
}

// resolve turns a URL on the page into a path of the site, if it is one. A link within the same page isn't.
func (a *Answer) resolve(address string) (string, bool) {
	to, err := a.Request.URL.Parse(address)
	if err != nil || strings.HasPrefix(address, "#") || to.Host != a.Request.URL.Host || to.Scheme != a.Request.URL.Scheme {
		return "", false
	}
	return to.RequestURI(), true
}

// Forms are the forms on the page that are sent to this site.
func (a *Answer) Forms() []Form {
	a.t.Helper()
	var all []Form
	for n := range a.Page().Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" {
			continue
		}
		action, _ := Attribute(n, "action")
		path, ok := a.resolve(action)
		if !ok {
			continue
		}
		method, _ := Attribute(n, "method")
		encoding, _ := Attribute(n, "enctype")
		all = append(all, Form{
			Method: strings.ToUpper(cmp.Or(method, http.MethodGet)), Action: path,
			Multipart: encoding == "multipart/form-data", Fields: fields(n),
		})
	}
	return all
}

func fields(form *html.Node) []Field {
	var all []Field
	for n := range form.Descendants() {
		name, named := Attribute(n, "name")
		if n.Type != html.ElementNode || !named || name == "" {
			continue
		}
		kind, _ := Attribute(n, "type")
		value, _ := Attribute(n, "value")
		field := Field{Name: name, Type: kind, Value: value}
		switch n.Data {
		case "input":
			field.Type = cmp.Or(kind, "text")
			field.Accept, _ = Attribute(n, "accept")
		case "textarea":
			field.Type, field.Value = "textarea", strings.TrimPrefix(text(n), "\n")
		case "select":
			field.Type, field.Options = "select", choices(n)
		default: // a button's value is not typed in
			continue
		}
		if _, checked := Attribute(n, "checked"); kind == "radio" || kind == "checkbox" {
			field.Options = []string{value}
			if !checked {
				field.Value = ""
			}
		}
		all = merge(all, field)
	}
	return all
}

// merge adds a field, or merges it with other inputs of the same name.
func merge(all []Field, field Field) []Field {
	i := slices.IndexFunc(all, func(f Field) bool { return f.Name == field.Name })
	if i < 0 {
		return append(all, field)
	}
	all[i].Options = append(all[i].Options, field.Options...)
	all[i].Value = cmp.Or(all[i].Value, field.Value)
	return all
}

func choices(list *html.Node) []string {
	var all []string
	for n := range list.Descendants() {
		if n.Type == html.ElementNode && n.Data == "option" {
			value, given := Attribute(n, "value")
			if !given {
				value = text(n)
			}
			all = append(all, value)
		}
	}
	return all
}

// Attribute is the value of an element's attribute, if it has one.
func Attribute(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func text(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// Submit sends a form as a browser would.
func (c *Client) Submit(f Form, values map[string]string, files ...File) *Answer {
	c.site.t.Helper()
	query := url.Values{}
	for name, value := range values {
		query.Set(name, value)
	}
	switch {
	case f.Method == http.MethodGet:
		path, _, _ := strings.Cut(f.Action, "?")
		return c.Get(path + "?" + query.Encode())
	case f.Multipart:
		return c.Upload(http.MethodPost, f.Action, values, files...)
	}
	return c.PostForm(f.Action, query)
}
