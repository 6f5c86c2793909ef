package templates_test

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"tokentube/templates"
	"tokentube/utils/respond"
)

var pages = func() *respond.Renderer {
	asset := func(name string) string { return "/static/" + name + "?v=1" }
	r, err := respond.NewRenderer(templates.FS, respond.Funcs(asset, func() time.Time { return now }))
	if err != nil {
		panic(err)
	}
	return r
}()

// eachPage renders every page for every viewer, with and without faults; spoilt,
// with the attack in place of what users write.
func eachPage(t *testing.T, spoil bool, check func(t *testing.T, text string)) {
	alice := viewer{"1", "alice", "Alice", "alice@example.com", "", nil}
	robbed := alice
	robbed.Theft = &now
	for name, list := range samples() {
		for _, data := range list {
			for _, who := range []any{nil, alice, robbed} {
				if who == nil && strings.HasPrefix(name, "settings/") {
					continue
				}
				for _, status := range []int{200, 401, 403, 404, 405, 413, 418, 422, 429, 500, 503} {
					if status != 200 && status != 422 && name != "errors/show" {
						continue
					}
					p := respond.Page{Viewer: who, Data: data, Path: "/", Status: status, RequestID: "r1", BaseURL: "https://tube.example"}
					if status != 200 {
						p.Message, p.Flash, p.Errors = "It failed", "Saved", faults()
					}
					if spoil {
						p = spoiled(p)
					}
					text, err := pages.String(name, p)
					if err != nil {
						t.Fatalf("%s with %+v: %v", name, data, err)
					}
					t.Run(name, func(t *testing.T) { check(t, text) })
				}
			}
		}
	}
}

func faults() respond.Fields {
	f := respond.Fields{}
	for _, name := range strings.Fields("title description content tags alt visibility videoFile thumbnail photo username email fullName password avatar identifier bio coverImage oldPassword newPassword confirmPassword") {
		f[name] = "This is wrong"
	}
	return f
}

const attack = `"><script>alert(1)</script>`

// spoiled puts the attack into every string that a user may have written.
func spoiled(p respond.Page) respond.Page {
	if p.Data != nil {
		data := reflect.New(reflect.TypeOf(p.Data)).Elem()
		data.Set(reflect.ValueOf(p.Data))
		spoilValue(data)
		p.Data = data.Interface()
	}
	if p.Viewer != nil {
		p.Viewer = viewer{attack, attack, attack, attack, attack, &now}
	}
	p.Message, p.Flash, p.Path, p.RequestID = attack, attack, "/"+attack, attack
	for name := range p.Errors {
		p.Errors[name] = attack
	}
	return p
}

func spoilValue(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(attack)
	case reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if v.Field(i).CanSet() && name != "Kind" && name != "Tab" {
				spoilValue(v.Field(i))
			}
		}
	case reflect.Slice:
		old := v.Len()
		v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, old), v))
		for i := range old {
			spoilValue(v.Index(i))
		}
	case reflect.Pointer:
		if v.IsNil() || v.Type().Elem() == reflect.TypeFor[time.Time]() {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		spoilValue(v.Elem())
	}
}

func TestEveryPageHasSamples(t *testing.T) {
	have := slices.Sorted(maps.Keys(samples()))
	if want := slices.Sorted(slices.Values(pages.Names())); !slices.Equal(have, want) {
		t.Errorf("samples for %v, pages are %v", have, want)
	}
}

var inline = regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|javascript:|data:|https?://(?:[^t]|t[^u])|ZgotmplZ|%!`)

// TestPagesAreSound looks at what the policy of the site and the users of
// assistive software need.
func TestPagesAreSound(t *testing.T) {
	eachPage(t, false, func(t *testing.T, text string) {
		if found := inline.FindString(text); found != "" {
			t.Errorf("the page contains %q", found)
		}
		doc, err := html.Parse(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		checkDocument(t, doc)
	})
}

func checkDocument(t *testing.T, doc *html.Node) {
	labels, ids, count, level := map[string]bool{}, map[string]bool{}, map[string]int{}, 0
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		count[n.Data]++
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("id %q twice", id)
			}
			ids[id] = true
		}
		if n.Data == "label" {
			labels[attr(n, "for")] = true
		}
		if n.Data == "script" && (attr(n, "src") == "" || n.FirstChild != nil) {
			t.Error("a script inside the page")
		}
		if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
			if now := int(n.Data[1] - '0'); now > level+1 {
				t.Errorf("<%s> after level %d", n.Data, level)
			} else {
				level = now
			}
		}
	}
	if count["h1"] != 1 || count["main"] != 1 || count["title"] < 1 {
		t.Errorf("%d h1, %d main, %d title", count["h1"], count["main"], count["title"])
	}
	for n := range doc.Descendants() {
		checkElement(t, n, labels, ids)
	}
}

func checkElement(t *testing.T, n *html.Node, labels, ids map[string]bool) {
	for _, id := range strings.Fields(attr(n, "aria-describedby")) {
		if !ids[id] {
			t.Errorf("%s is described by %q, which is not there", attr(n, "name"), id)
		}
	}
	kind := attr(n, "type")
	switch {
	case n.Data == "img" && !has(n, "alt"):
		t.Errorf("no alt on %s", attr(n, "src"))
	case n.Data == "input" && kind == "password" && has(n, "value"):
		t.Error("a password is written back")
	case n.Data != "input" && n.Data != "textarea", kind == "hidden", has(n, "hidden"), labels[attr(n, "id")]:
	case n.Parent.Data != "label":
		t.Errorf("no label for %s %s", n.Data, attr(n, "name"))
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

func TestUserTextIsEscaped(t *testing.T) {
	eachPage(t, true, func(t *testing.T, text string) {
		if strings.Contains(text, "<script>") {
			t.Errorf("raw script:\n%s", text)
		}
	})
}

func TestFaultsStandBesideTheirFields(t *testing.T) {
	text, err := pages.String("sessions/new", respond.Page{Data: login{Identifier: "alice"}, Message: "It failed", Errors: respond.Fields{"identifier": "Who?"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`value="alice"`, `aria-invalid="true" aria-describedby="identifier-error"`, `id="identifier-error"`, "Who?", `role="alert"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
}
