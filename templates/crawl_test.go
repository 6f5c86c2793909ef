package templates_test

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"tokentube/e2e/testsite"
	"tokentube/routes"
	"tokentube/static"
	"tokentube/templates"
	"tokentube/utils/respond"
)

// A mark at the beginning of each page's content identifies the template that rendered a response. It is removed before
// anything inspects the page.
var (
	content = regexp.MustCompile(`\{\{-?\s*define "content"\s*-?\}\}`)
	mark    = regexp.MustCompile(`<i hidden data-template="([^"]*)"></i>`)
)

// pageNames are all templates except the layout and the partials.
func pageNames(t testing.TB) []string {
	t.Helper()
	names, err := fs.Glob(templates.FS, "*/*.html")
	if err != nil || len(names) == 0 {
		t.Fatal("no pages", err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "partials/") })
}

// marked are the templates, with marks added.
func marked(t testing.TB) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	err := fs.WalkDir(templates.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(templates.FS, name)
		files[name] = &fstest.MapFile{Data: text}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range pageNames(t) {
		at := content.FindIndex(files[name].Data)
		if at == nil {
			t.Fatalf("templates/%s defines no content", name)
		}
		files[name].Data = slices.Insert(files[name].Data, at[1], fmt.Appendf(nil, `<i hidden data-template="%s"></i>`, name)...)
	}
	return files
}

// crawler opens the pages of a site like a person: it follows every link, and submits every form, with valid and
// invalid input. It checks everything that it finds.
type crawler struct {
	t        *testing.T
	site     *testsite.Site
	rendered map[string]bool // templates
	shown    map[string]bool // states, and attacks by the field that they were entered in
	names    map[string]bool // of the fields that were seen
	tried    map[string]bool // queries that are attacks
	faults   map[string]bool // that were reported
	files    map[string][]byte
}

func newCrawler(t *testing.T) *crawler {
	t.Helper()
	site := testsite.New(t)
	engine, err := routes.NewEngine(site.App, marked(t), static.FS, testsite.Code(t))
	if err != nil {
		t.Fatal(err)
	}
	site.Engine, site.Handler = engine, routes.Handler(engine)
	return &crawler{
		t: t, site: site, rendered: map[string]bool{}, shown: map[string]bool{}, tried: map[string]bool{}, faults: map[string]bool{},
		names: map[string]bool{"next": true, "after": true, "limit": true},
		files: map[string][]byte{"image": testsite.Picture(t), "video": testsite.Video},
	}
}

// fault reports a fault once, with the first place where it occurs.
func (x *crawler) fault(where, form string, args ...any) {
	text := fmt.Sprintf(form, args...)
	if !x.faults[text] {
		x.faults[text] = true
		x.t.Errorf("%s: %s", where, text)
	}
}

// person is somebody who uses the site: a user or, without a name, a visitor.
type person struct {
	*crawler
	user   string
	client *testsite.Client
	seen   map[string]bool // what has been opened, and the forms that were found
	forms  []testsite.Form // to submit
}

func (x *crawler) person(user string) *person {
	p := &person{crawler: x, user: user, seen: map[string]bool{}}
	p.come()
	return p
}

// come opens the site and logs in, in a browser with a hostile user agent.
func (p *person) come() {
	p.client = p.site.Client()
	if p.user != "" {
		p.client = p.site.SignIn(p.user)
	}
	p.client.Header.Set("User-Agent", attack("browser"))
}

// stay ensures that the person is still logged in as before: one of the buttons may have logged them out, or in.
func (p *person) stay() {
	name, _ := p.client.JSON("GET", "/api/v1/users/get-current-user", nil).Data()["username"].(string)
	if name != p.user {
		p.come()
	}
}

// at says who found something, and where.
func (p *person) at(where string) string { return cmp.Or(p.user, "a visitor") + " at " + where }

// look opens everything that exists for the person: the routes without parameters, what they link to, and the routes
// that nothing linked to, with the ids of everything that exists.
func (p *person) look() {
	for _, path := range p.pageRoutes() {
		if parameter.MatchString(path) {
			continue
		}
		p.open(path, "")
		for _, name := range slices.Sorted(maps.Keys(p.names)) {
			query := path + "?" + name + "=" + attack("query")
			tried := fmt.Sprint(query, p.user == "") // users get the same
			if !p.tried[tried] {
				p.tried[tried] = true
				p.open(query, "")
			}
		}
	}
	for _, path := range p.pageRoutes() {
		if !parameter.MatchString(path) {
			continue
		}
		linked := p.opened(path)
		p.open(parameter.ReplaceAllLiteralString(path, url.PathEscape(attack("path"))), "")
		if linked {
			continue
		}
		tried := map[string]int{} // by collection
		for _, d := range p.site.Documents() {
			if id := d.ID(); id != "" && tried[d.Collection] < 20 {
				tried[d.Collection]++
				p.open(parameter.ReplaceAllLiteralString(path, id), "")
			}
		}
	}
}

var parameter = regexp.MustCompile(`[:*]\w+`)

// pageRoutes are the paths of the engine's pages.
func (x *crawler) pageRoutes() (paths []string) {
	for _, r := range x.site.Engine.Routes() {
		if r.Method == http.MethodGet && !strings.HasPrefix(r.Path, "/api/") && !strings.HasPrefix(r.Path, "/static/") {
			paths = append(paths, r.Path)
		}
	}
	slices.Sort(paths)
	return paths
}

// opened reports whether a link led to a page of this route.
func (p *person) opened(route string) bool {
	pattern := regexp.MustCompile("^" + parameter.ReplaceAllString(route, `[^/?]+`) + `(\?|$)`)
	for path := range p.seen {
		if pattern.MatchString(path) {
			return true
		}
	}
	return false
}

const mostPages = 20_000

// open opens a page and everything it leads to. What another page links to must exist.
func (p *person) open(path, from string) {
	if p.seen[path] {
		return
	}
	p.seen[path] = true
	if len(p.seen) > mostPages {
		p.t.Fatalf("there is no end to the pages: lately %s, linked from %s", path, from)
	}
	answer := p.client.Get(path)
	if from != "" && answer.Code >= http.StatusBadRequest {
		p.fault(p.at(from), "the link to %s leads to a %d", path, answer.Code)
	}
	p.read("GET "+path, answer)
}

// read checks a response and follows its links. It returns the template that rendered it.
func (p *person) read(what string, answer *testsite.Answer) (template string) {
	if to, err := answer.Location(); err == nil {
		path := to.RequestURI()
		return p.read(what+", then "+path, p.client.Get(path))
	}
	if answer.Code >= http.StatusInternalServerError {
		p.fault(p.at(what), "the answer is %d", answer.Code)
	}
	if !answer.IsPage() {
		return ""
	}
	template = p.check(p.at(what), answer)
	for _, f := range answer.Forms() {
		p.note(f)
	}
	for _, link := range answer.Addresses("a", "href") {
		p.open(link, what)
	}
	for _, needed := range [][2]string{{"img", "src"}, {"script", "src"}, {"link", "href"}, {"video", "src"}, {"video", "poster"}} {
		for _, file := range answer.Addresses(needed[0], needed[1]) {
			p.fetch(file, what)
		}
	}
	return template
}

// check inspects a page, without the mark.
func (p *person) check(where string, answer *testsite.Answer) (template string) {
	found := mark.FindStringSubmatch(answer.Body)
	if found == nil {
		p.fault(where, "a page that no template made")
		return ""
	}
	answer.Body = strings.Replace(answer.Body, found[0], "", 1)
	p.rendered[found[1]] = true
	for _, attack := range escaped.FindAllStringSubmatch(answer.Body, -1) {
		p.shown[attack[1]] = true
	}
	for _, state := range states {
		if strings.Contains(answer.Body, state) {
			p.shown[state] = true
		}
	}
	checkPage(func(form string, args ...any) { p.fault(where, found[1]+": "+form, args...) }, answer.Body, answer.Page())
	return found[1]
}

// fetch requests a file that a page needs.
func (p *person) fetch(path, from string) {
	if p.seen[path] {
		return
	}
	p.seen[path] = true
	if answer := p.client.Get(path); answer.Code != http.StatusOK {
		p.fault(p.at(from), "it needs %s, and gets a %d", path, answer.Code)
	}
}

// note stores a form to submit it later: every button, and one of each kind of other form.
func (p *person) note(f testsite.Form) {
	kind := f.Method + " " + f.Action
	if typed(f) {
		kind = f.Method + " " + identifiers.ReplaceAllString(f.Action, "ID")
		for _, field := range f.Fields {
			kind += " " + field.Name
		}
	}
	if p.seen[kind] {
		return
	}
	p.seen[kind] = true
	p.forms = append(p.forms, f)
	for _, field := range f.Fields {
		p.names[field.Name] = true
	}
	if keyed := slices.ContainsFunc(f.Fields, func(f testsite.Field) bool { return f.Name == respond.KeyField }); keyed != p.makes(f) {
		p.fault(p.at(f.Action), "the form has a key: %v", keyed)
	}
}

// makes reports whether a form creates something: a POST by a user.
func (p *person) makes(f testsite.Form) bool {
	return p.user != "" && f.Method == http.MethodPost && !strings.Contains(f.Action, "_method=") && !slices.Contains([]string{"/logout", "/forgot-password", "/reset-password", "/confirm", "/confirm-email", "/not-me"}, f.Action) && !strings.HasPrefix(f.Action, "/token-lab/")
}

var identifiers = regexp.MustCompile(`[0-9a-f]{24}`)

// typed distinguishes a form with fields to fill in from a mere button.
func typed(f testsite.Form) bool {
	return slices.ContainsFunc(f.Fields, func(f testsite.Field) bool { return f.Type != "hidden" })
}

// deletes reports whether a form removes something.
func deletes(f testsite.Form) bool { return strings.Contains(f.Action, "_method=DELETE") }

// send submits the forms that were found, and then those found in the process: empty, with an attack in every field,
// with too much, and with sensible input that has an attack in every text. Buttons that delete come last.
func (p *person) send() {
	for _, last := range []bool{false, true} {
		for i := 0; i < len(p.forms); i++ {
			f := p.forms[i]
			if typed(f) && !last {
				p.submit(f, "with nothing in it", nil, nil)
				p.submit(f, "with attacks in it", func(f testsite.Field) string { return attack(f.Name) }, noFile)
				p.submit(f, "with too much in it", func(testsite.Field) string { return strings.Repeat("long ", 3000/len(f.Fields)) }, noFile)
			}
			if deletes(f) != last || last && typed(f) {
				continue
			}
			for option := range mostOptions(f) {
				p.submit(f, "as it is meant", func(f testsite.Field) string { return sensible(f, option) }, p.fileFor)
			}
		}
	}
	p.forms = nil
}

func noFile(testsite.Field) []byte { return []byte(attack("file")) }

func (p *person) fileFor(f testsite.Field) []byte {
	kind, _, _ := strings.Cut(f.Accept, "/")
	return p.files[kind]
}

func mostOptions(f testsite.Form) int {
	most := 1
	for _, field := range f.Fields {
		most = max(most, len(field.Options))
	}
	return most
}

// sensible is valid input for the field, with an attack wherever any text is allowed.
func sensible(f testsite.Field, option int) string {
	switch f.Type {
	case "hidden":
		return f.Value
	case "email":
		return "changed@example.com"
	case "password":
		return testsite.Password
	case "number", "range", "date", "time", "datetime-local", "month", "color":
		return cmp.Or(f.Value, "1")
	}
	if len(f.Options) > 0 {
		return f.Options[option%len(f.Options)]
	}
	return attack(f.Name)
}

// submit submits a form, and inspects the result. A rejected form must come back with an explanation.
func (p *person) submit(f testsite.Form, how string, text func(testsite.Field) string, file func(testsite.Field) []byte) {
	values, files := map[string]string{}, []testsite.File{}
	for _, field := range f.Fields {
		switch {
		case field.Name == respond.KeyField: // not typed in, and different each time the page is opened
			values[field.Name] = rand.Text()
		case text == nil:
		case field.Type == "file":
			files = append(files, testsite.File{Field: field.Name, Name: attack("name"), Content: file(field)})
		default:
			values[field.Name] = text(field)
		}
	}
	what := fmt.Sprintf("%s %s %s", f.Method, f.Action, how)
	answer := p.client.Submit(f, values, files...)
	alerts := strings.Contains(answer.Body, `role="alert"`) || strings.Contains(answer.Body, `aria-invalid="true"`)
	template := p.read(what, answer)
	if answer.Code >= http.StatusBadRequest && template != "errors/show.html" && !alerts {
		p.fault(p.at(what), "the answer is %d, and does not say what is wrong", answer.Code)
	}
	p.stay()
}
