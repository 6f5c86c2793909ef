package controllers_test

import (
	"strings"
	"testing"

	"tokentube/e2e/testsite"
)

// meta is what a page tells search engines and link previews.
func meta(t *testing.T, a *testsite.Answer) map[string]string {
	t.Helper()
	found := map[string]string{}
	for n := range a.Status(200).Page().Descendants() {
		if n.Data != "meta" && n.Data != "link" {
			continue
		}
		name, _ := testsite.Attribute(n, "name")
		if name == "" {
			name, _ = testsite.Attribute(n, "property")
		}
		value, _ := testsite.Attribute(n, "content")
		if rel, _ := testsite.Attribute(n, "rel"); rel == "canonical" || rel == "alternate" {
			name = rel
			value, _ = testsite.Attribute(n, "href")
		}
		if _, twice := found[name]; twice && name != "" {
			t.Errorf("%s is there twice", name)
		}
		found[name] = strings.Trim(value, "\u2068\u2069")
	}
	return found
}

func TestPagesAreFoundAndShared(t *testing.T) {
	site := testsite.New(t)
	alice, nobody := site.User("alice"), site.Client()
	alice.JSON("PATCH", "/api/v1/users/update-user-bio", testsite.M{"bio": "I like <the> sea"}).Status(200)
	text := "/posts/" + alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "Hello & good morning"}).Status(201).ID()
	photo := "/photos/" + alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "Sea", "description": "At noon", "alt": "Waves"},
		testsite.File{Field: "photo", Name: "a.png", Content: testsite.Picture(t)}).Status(201).ID()
	list := "/playlists/" + alice.JSON("POST", "/api/v1/playlist", testsite.M{"name": "Music", "visibility": "public"}).Status(201).ID()
	const home = "https://localhost"
	for path, want := range map[string]map[string]string{
		"/": {"canonical": home + "/", "og:url": home + "/", "og:type": "website", "og:title": "Tokentube", "og:image": home + "/static/share.png"},
		"/?after=&utm_source=x&limit=5&kind=video&page=1": {"canonical": home + "/?kind=video", "og:url": home + "/?kind=video"},
		"/?tab=trending&fbclid=1&kind=photo":              {"canonical": home + "/?kind=photo&tab=trending"},
		"/@ALICE?sortBy=views":                            {"canonical": home + "/@alice", "og:type": "profile", "description": "I like <the> sea", "alternate": "/@alice/feed.atom", "og:image": home + "/media/public/"},
		text + "?utm_medium=x":                            {"canonical": home + text, "og:title": "Hello & good morning", "description": "Hello & good morning", "og:type": "article", "og:image": home + "/media/public/"},
		photo:                                             {"canonical": home + photo, "og:title": "Sea", "og:description": "At noon", "og:image": home + strings.Replace(photo, "/photos", "/media/posts", 1) + "/thumbnail", "og:image:alt": "Waves"},
		list:                                              {"canonical": home + list, "og:title": "Music", "description": "A playlist by"},
		"/learn":                                          {"canonical": home + "/learn", "og:type": "website"},
		"/learn/jwt":                                      {"canonical": home + "/learn/jwt", "og:type": "article", "og:title": "What a JWT is"},
		"/token-lab?run=1":                                {"canonical": home + "/token-lab", "og:title": "Token lab"},
		"/api/docs":                                       {"canonical": home + "/api/docs", "og:title": "The Tokentube API"},
		"/search?q=sea&after=":                            {"canonical": home + "/search?q=sea", "robots": "noindex"},
		"/login?next=%2Fliked":                            {"canonical": home + "/login"},
	} {
		got := meta(t, nobody.Get(path))
		for name, value := range want {
			exact := name == "canonical" || name == "og:url"
			if exact && got[name] != value || !strings.HasPrefix(got[name], value) {
				t.Errorf("%s: %s is %q, want %q", path, name, got[name], value)
			}
		}
		if got["description"] == "" && !strings.HasPrefix(path, "/search") && !strings.HasPrefix(path, "/login") {
			t.Errorf("%s has no description", path)
		}
		if image, ok := strings.CutPrefix(got["og:image"], home); ok {
			nobody.Get(image).Status(200)
		}
	}
	if got := nobody.Get("/nothing").Status(404); strings.Contains(got.Body, "canonical") {
		t.Error("a page that isn't there has a canonical address")
	}
	if got := nobody.PostForm("/token-lab/experiments/expire", nil).Status(200); strings.Contains(got.Body, "canonical") {
		t.Error("the result of a form has a canonical address")
	}
	draft := "/posts/" + alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "Not yet", "visibility": "draft"}).Status(201).ID()
	if got := meta(t, alice.Get(draft)); got["robots"] != "noindex" {
		t.Errorf("a draft: %v", got)
	}
}

func TestPicturesBelowTheFirstRowWait(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	var photo string
	for range 6 {
		photo = "/photos/" + alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "Sea"},
			testsite.File{Field: "photo", Name: "a.png", Content: testsite.Picture(t)}).Status(201).ID()
	}
	pictures := func(path string, of string) (all []string) {
		for n := range site.Client().Get(path).Status(200).Page().Descendants() {
			src, ok := testsite.Attribute(n, "src")
			if n.Data != "img" || !ok {
				continue
			}
			width, _ := testsite.Attribute(n, "width")
			height, _ := testsite.Attribute(n, "height")
			if width == "" || height == "" {
				t.Errorf("%s: %s has no size", path, src)
			}
			if loading, _ := testsite.Attribute(n, "loading"); strings.HasSuffix(src, of) {
				all = append(all, loading)
			}
		}
		return all
	}
	for _, path := range []string{"/", "/@alice", "/search?q=sea"} {
		if got := strings.Join(pictures(path, "/thumbnail"), ","); got != ",,,,lazy,lazy" {
			t.Errorf("%s: %q", path, got)
		}
	}
	if got := pictures(photo, strings.Replace(photo, "/photos", "/media/posts", 1)); len(got) != 1 || got[0] != "" {
		t.Errorf("the photo of a page: %q", got)
	}
	site.Client().Get(photo).Has(`fetchpriority="high"`)
}
