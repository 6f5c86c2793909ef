package controllers_test

import (
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

// talk is a site with a post of alice's, a draft, a post with comments turned off, and a comment of bob's with a reply.
type talk struct {
	*testsite.Site
	alice, bob, carol, nobody       *testsite.Client
	post, draft, off, first, answer string
}

func newTalk(t *testing.T) *talk {
	t.Helper()
	site := testsite.New(t)
	w := &talk{Site: site, alice: site.User("alice"), bob: site.User("bob"), carol: site.User("carol"), nobody: site.Client()}
	w.post = w.alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
	w.draft = w.alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "later", "visibility": "draft"}).Status(201).ID()
	w.off = w.alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "no comment", "commentsOff": true}).Status(201).ID()
	w.first = w.say(w.bob, w.post, "", "the first")
	w.answer = w.say(w.carol, w.post, w.first, "an answer")
	return w
}

func (w *talk) say(c *testsite.Client, post, parent, words string) string {
	return c.JSON("POST", "/api/v1/comments/"+post, testsite.M{"content": words, "parent": parent}).Status(201).ID()
}

// words are the texts of a list of comments.
func words(data testsite.M) (all []string) {
	for _, c := range data["comments"].([]any) {
		all = append(all, c.(testsite.M)["content"].(string))
	}
	return all
}

func (w *talk) listed(path string) string {
	return fmt.Sprint(words(w.nobody.JSON("GET", "/api/v1/comments/"+path, nil).Status(200).Data()))
}

func (w *talk) count(c *testsite.Client) string {
	return fmt.Sprint(c.JSON("GET", "/api/v1/tweets/"+w.post, nil).Status(200).Data()["commentsCount"])
}

// Each request on its own talk, both through the API and as a page. The page's status is that of the form; 303 means
// success.
func TestCommentRequests(t *testing.T) {
	long := strings.Repeat("é", 2001)
	for _, c := range []struct {
		name, who, method, path string // :post, :draft, :off, :first, :answer, :other and :none are ids
		body                    testsite.M
		api, page               int
		field                   string // the faulty field
	}{
		{"comment", "bob", "POST", "/comments/:post", testsite.M{"content": "hi"}, 201, 303, ""},
		{"the longest", "bob", "POST", "/comments/:post", testsite.M{"content": long[2:]}, 201, 303, ""},
		{"comment on one's own draft", "alice", "POST", "/comments/:draft", testsite.M{"content": "hi"}, 201, 303, ""},
		{"reply", "alice", "POST", "/comments/:post", testsite.M{"content": "hi", "parent": ":first"}, 201, 303, ""},
		{"reply to a reply", "bob", "POST", "/comments/:post", testsite.M{"content": "hi", "parent": ":answer"}, 201, 303, ""},
		{"no words", "bob", "POST", "/comments/:post", testsite.M{}, 422, 422, "content"},
		{"spaces", "bob", "POST", "/comments/:post", testsite.M{"content": " \n "}, 422, 422, "content"},
		{"no words in reply", "bob", "POST", "/comments/:post", testsite.M{"parent": ":first"}, 422, 422, "content"},
		{"too many words", "bob", "POST", "/comments/:post", testsite.M{"content": long}, 422, 422, "content"},
		{"reply to no id", "bob", "POST", "/comments/:post", testsite.M{"content": "hi", "parent": "x"}, 404, 404, ""},
		{"reply to nothing", "bob", "POST", "/comments/:post", testsite.M{"content": "hi", "parent": ":none"}, 404, 404, ""},
		{"reply to another post's", "bob", "POST", "/comments/:other", testsite.M{"content": "hi", "parent": ":first"}, 404, 404, ""},
		{"comment on nothing", "bob", "POST", "/comments/:none", testsite.M{"content": "hi"}, 404, 404, ""},
		{"comment on no id", "bob", "POST", "/comments/x", testsite.M{"content": "hi"}, 404, 404, ""},
		{"comment on a draft", "bob", "POST", "/comments/:draft", testsite.M{"content": "hi"}, 404, 404, ""},
		{"comments are off", "bob", "POST", "/comments/:off", testsite.M{"content": "hi"}, 403, 403, ""},
		{"comments are off, owner", "alice", "POST", "/comments/:off", testsite.M{"content": "hi"}, 403, 403, ""},
		{"comment as nobody", "", "POST", "/comments/:post", testsite.M{"content": "hi"}, 401, 303, ""},
		{"edit", "bob", "PATCH", "/comments/c/:first", testsite.M{"content": "changed"}, 200, 303, ""},
		{"edit to nothing", "bob", "PATCH", "/comments/c/:first", testsite.M{}, 422, 422, "content"},
		{"edit another's", "carol", "PATCH", "/comments/c/:first", testsite.M{"content": "x"}, 403, 403, ""},
		{"edit as the post's owner", "alice", "PATCH", "/comments/c/:first", testsite.M{"content": "x"}, 403, 403, ""},
		{"edit nothing", "bob", "PATCH", "/comments/c/:none", testsite.M{"content": "x"}, 404, 404, ""},
		{"edit as nobody", "", "PATCH", "/comments/c/:first", testsite.M{"content": "x"}, 401, 303, ""},
		{"delete", "bob", "DELETE", "/comments/c/:first", nil, 200, 303, ""},
		{"delete as the post's owner", "alice", "DELETE", "/comments/c/:answer", nil, 200, 303, ""},
		{"delete another's", "carol", "DELETE", "/comments/c/:first", nil, 403, 403, ""},
		{"delete nothing", "bob", "DELETE", "/comments/c/:none", nil, 404, 404, ""},
		{"delete a post so", "alice", "DELETE", "/comments/c/:post", nil, 404, 404, ""},
		{"delete as nobody", "", "DELETE", "/comments/c/:first", nil, 401, 303, ""},
		{"like", "alice", "PUT", "/likes/c/:first", nil, 200, 303, ""},
		{"take back", "alice", "DELETE", "/likes/c/:first", nil, 200, 303, ""},
		{"like nothing", "alice", "PUT", "/likes/c/:none", nil, 404, 404, ""},
		{"like as nobody", "", "PUT", "/likes/c/:first", nil, 401, 303, ""},
		{"read", "", "GET", "/comments/:post", nil, 200, 200, ""},
		{"read by likes", "", "GET", "/comments/:post?sortBy=likes&sortType=asc", nil, 200, 200, ""},
		{"read a draft's", "bob", "GET", "/comments/:draft", nil, 404, 404, ""},
		{"read one's draft's", "alice", "GET", "/comments/:draft", nil, 200, 200, ""},
		{"read where they are off", "bob", "GET", "/comments/:off", nil, 200, 200, ""},
		{"read nothing's", "bob", "GET", "/comments/:none", nil, 404, 404, ""},
		{"sort by nonsense", "", "GET", "/comments/:post?sortBy=views", nil, 422, 422, "sortBy"},
		{"sort in no order", "", "GET", "/comments/:post?sortType=up", nil, 422, 422, "sortType"},
		{"no cursor", "", "GET", "/comments/:post?after=x", nil, 422, 422, "after"},
		{"no limit", "", "GET", "/comments/:post?limit=0", nil, 422, 422, "limit"},
		{"replies to no id", "", "GET", "/comments/:post?parent=x", nil, 404, 404, ""},
		{"read a thread", "", "GET", "/comments/c/:first", nil, 200, 200, ""},
		{"read a reply", "", "GET", "/comments/c/:answer", nil, 200, 200, ""},
		{"read no comment", "", "GET", "/comments/c/:post", nil, 404, 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for format, want := range map[string]int{"/api/v1": c.api, "": c.page} {
				w := newTalk(t)
				other := w.alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "another"}).Status(201).ID()
				ids := strings.NewReplacer(":post", w.post, ":draft", w.draft, ":off", w.off, ":first", w.first, ":answer", w.answer, ":other", other, ":none", strings.Repeat("a", 24))
				client := map[string]*testsite.Client{"": w.nobody, "alice": w.alice, "bob": w.bob, "carol": w.carol}[c.who]
				path, form, body := format+ids.Replace(c.path), url.Values{}, testsite.M{}
				for name, value := range c.body {
					body[name] = ids.Replace(value.(string))
					form.Set(name, body[name].(string))
				}
				switch {
				case format != "" && c.method == "GET":
					client.JSON("GET", path, nil).Status(want)
				case format != "":
					answer := client.JSON(c.method, path, body).Status(want)
					if c.field != "" && answer.Fault(c.field) == "" {
						t.Errorf("%s names no fault of %s", answer, c.field)
					}
				case c.method == "GET":
					client.Get(path).Status(want)
				default:
					if c.method != "POST" {
						path += "?_method=" + c.method
					}
					answer := client.PostForm(path, form).Status(want)
					if c.field != "" {
						answer.Has(`id="`+c.field+`-error"`, `role="alert"`)
					}
				}
			}
		})
	}
}

func TestCommentsAreListedAsTheyAreCounted(t *testing.T) {
	w := newTalk(t)
	later := w.say(w.alice, w.post, w.answer, "another answer")
	w.say(w.carol, w.post, "", "the second")
	if got := w.listed(w.post); got != "[the second the first]" {
		t.Error(got)
	}
	if got := w.listed(w.post + "?sortType=asc"); got != "[the first the second]" {
		t.Error(got)
	}
	for _, replies := range []string{w.post + "?parent=" + w.first, "c/" + w.first, "c/" + later} {
		if got := w.listed(replies); got != "[an answer another answer]" {
			t.Errorf("%s: %s", replies, got)
		}
	}
	w.alice.JSON("PUT", "/api/v1/likes/c/"+w.first, nil).Status(200)
	if got := w.listed(w.post + "?sortBy=likes"); got != "[the first the second]" {
		t.Error(got)
	}
	page := w.nobody.JSON("GET", "/api/v1/comments/"+w.post+"?limit=1", nil).Status(200).Data()
	next := page["next"].(string)
	if got := w.listed(w.post + "?limit=1&after=" + next); got != "[the first]" || page["commentsCount"] != 4.0 {
		t.Errorf("%s, %v", got, page)
	}
	w.nobody.JSON("GET", "/api/v1/comments/"+w.post+"?sortBy=likes&after="+next, nil).Status(422)
	if w.count(w.nobody) != "4" {
		t.Error(w.count(w.nobody))
	}

	shown := w.bob.JSON("GET", "/api/v1/comments/c/"+later, nil).Status(200).Data()["comment"].(testsite.M)
	for name, want := range map[string]any{"_id": w.first, "video": w.post, "parent": nil, "content": "the first", "likesCount": 1.0, "isLiked": false, "repliesCount": 2.0, "isDeleted": false, "editedAt": nil} {
		if shown[name] != want {
			t.Errorf("%s is %v, want %v", name, shown[name], want)
		}
	}
	if owner := shown["owner"].(testsite.M); owner["username"] != "bob" || owner["email"] != nil {
		t.Error(owner)
	}

	w.bob.JSON("DELETE", "/api/v1/comments/c/"+w.first, nil).Status(200)
	w.bob.JSON("DELETE", "/api/v1/comments/c/"+w.first, nil).Status(404)
	left := w.alice.JSON("GET", "/api/v1/comments/c/"+w.first, nil).Status(200).Data()["comment"].(testsite.M)
	if left["owner"] != nil || left["content"] != "" || left["isDeleted"] != true || left["likesCount"] != 0.0 || left["isLiked"] != true && left["isLiked"] != false {
		t.Error(left)
	}
	w.nobody.Get("/posts/"+w.post).Status(200).Has("This comment was deleted.", "3 comments", "2 replies").HasNot("the first", "The bob")
	w.nobody.Get("/comments/c/"+w.first).Status(200).Has("Deleted comment", "an answer")
	for _, id := range []string{w.answer, later} {
		w.alice.PostForm("/comments/c/"+id+"?_method=DELETE", nil).Status(303)
	}
	if got := w.listed(w.post); got != "[the second]" || w.count(w.nobody) != "1" {
		t.Errorf("%s, %s are counted", got, w.count(w.nobody))
	}
	w.nobody.Get("/comments/c/" + w.first).Status(404)
}

func TestCommentsOfWhatOnlyItsOwnerSees(t *testing.T) {
	w := newTalk(t)
	w.carol.JSON("PUT", "/api/v1/likes/c/"+w.first, nil).Status(200)
	hidden := func(c *testsite.Client, post int) {
		t.Helper()
		c.JSON("GET", "/api/v1/comments/"+w.post, nil).Status(post)
		c.JSON("GET", "/api/v1/comments/c/"+w.first, nil).Status(404)
		c.Get("/comments/c/" + w.answer).Status(404)
		c.Get("/comments/c/" + w.first + "/edit").Status(404)
		for _, change := range [][2]string{{"PUT", "/likes/c/"}, {"DELETE", "/likes/c/"}, {"POST", "/likes/toggle/c/"}, {"PATCH", "/comments/c/"}, {"DELETE", "/comments/c/"}} {
			c.JSON(change[0], "/api/v1"+change[1]+w.first, testsite.M{"content": "x"}).Status(404)
		}
	}
	set := func(body testsite.M) { w.alice.JSON("PATCH", "/api/v1/tweets/"+w.post, body).Status(200) }
	set(testsite.M{"visibility": "draft"})
	hidden(w.bob, 404)
	w.alice.Get("/comments/c/" + w.first).Status(200).Has("the first")
	set(testsite.M{"visibility": "public", "commentsOff": true})
	for _, c := range []*testsite.Client{w.alice, w.bob} {
		hidden(c, 200)
		if n := w.count(c); n != "0" {
			t.Errorf("%s are counted", n)
		}
		c.Get("/posts/"+w.post).Status(200).Has("Comments are turned off for this post.").HasNot("the first", `name="content"`)
	}
	w.alice.PostForm("/posts/"+w.post+"?_method=PATCH", url.Values{"commentsOff": {"maybe"}}).Status(422).Has("commentsOff")
	w.alice.PostForm("/posts/"+w.post+"?_method=PATCH", url.Values{"commentsOff": {"false"}}).Status(303)
	if got := w.listed(w.post); got != "[the first]" || w.count(w.bob) != "2" {
		t.Errorf("%s, %s are counted", got, w.count(w.bob))
	}
}

func TestCommentPages(t *testing.T) {
	w := newTalk(t)
	to := func(c *testsite.Client, path string, form url.Values) string {
		t.Helper()
		return c.PostForm(path, form).Status(303).Header.Get("Location")
	}
	if path := to(w.bob, "/comments/"+w.post, url.Values{"content": {"see https://example.com/<b> @alice"}}); !strings.HasPrefix(path, "/posts/"+w.post+"#comment-") {
		t.Errorf("a comment leads to %s", path)
	}
	w.bob.Get("/posts/"+w.post).Status(200).Has(
		"Comment posted.", `<a href="https://example.com/" rel="nofollow ugc noopener">`, `<a href="/@alice">`, "3 comments", "Delete permanently", "Edit<span")
	if path := to(w.bob, "/comments/"+w.post, url.Values{"content": {"yes"}, "parent": {w.answer}}); !strings.HasPrefix(path, "/comments/c/"+w.first+"#comment-") {
		t.Errorf("a reply leads to %s", path)
	}
	w.nobody.Get("/posts/"+w.post).Status(200).Has("Log in to comment", `href="/login?next=%2fposts%2f`+w.post+`%23comments"`, "2 replies").HasNot("Delete permanently", `name="content"`)
	w.bob.PostForm("/comments/"+w.post, url.Values{"content": {strings.Repeat("long ", 500)}}).Status(422).Has(
		"Use at most 2000 characters.", strings.Repeat("long ", 500), "the first")
	w.bob.PostForm("/comments/"+w.post, url.Values{"content": {"\u200b"}, "parent": {w.first}}).Status(422).Has("Use at least one visible character.", "an answer")
	w.bob.Get("/comments/c/" + w.first + "/edit").Status(200).Has("the first")
	w.carol.Get("/comments/c/" + w.first + "/edit").Status(403)
	if path := to(w.bob, "/comments/c/"+w.first+"?_method=PATCH", url.Values{"content": {"changed"}}); path != "/comments/c/"+w.first+"#comment-"+w.first {
		t.Errorf("an edit leads to %s", path)
	}
	w.nobody.Get("/comments/c/"+w.first).Status(200).Has("changed", "(edited)")
	if path := to(w.alice, "/likes/c/"+w.answer+"?_method=PUT", nil); path != "/comments/c/"+w.first+"#comment-"+w.answer {
		t.Errorf("a like leads to %s", path)
	}
	w.alice.Get("/comments/c/" + w.first).Status(200).Has(`aria-pressed="true"`)
	if path := to(w.alice, "/comments/c/"+w.answer+"?_method=DELETE", nil); path != "/posts/"+w.post+"#comments" {
		t.Errorf("a deletion leads to %s", path)
	}
}

// The article's page fields are computed from the counts, and are correct at the end of the list, whatever is in
// between.
func TestCommentsHaveTheArticlesPages(t *testing.T) {
	w := newTalk(t)
	for i := range 6 {
		w.say(w.bob, w.post, "", fmt.Sprint("more ", i))
	}
	w.bob.JSON("DELETE", "/api/v1/comments/c/"+w.first, nil).Status(200) // its reply and a placeholder remain: seven listed, seven counted
	for path, want := range map[string]string{
		w.post + "?limit=3":                         "7 3 1, 3 of them",
		w.post + "?limit=3&page=1":                  "7 3 1, 3 of them",
		w.post + "?limit=3&page=2":                  "7 3 2, 3 of them",
		w.post + "?limit=3&page=3":                  "7 3 3, 1 of them",
		w.post + "?limit=3&page=4":                  "7 3 4, 0 of them",
		w.post + "?limit=100":                       "7 1 1, 7 of them",
		w.post + "?limit=6":                         "7 2 1, 6 of them",
		w.post + "?limit=1&page=10":                 "7 7 10, 0 of them",
		w.post + "?limit=3&parent=" + w.first:       "1 1 1, 1 of them",
		"c/" + w.first + "?limit=3":                 "1 1 1, 1 of them",
		w.off:                                       "0 0 1, 0 of them",
		w.post + "?parent=0123456789abcdef01234567": "0 0 1, 0 of them",
	} {
		data := w.nobody.JSON("GET", "/api/v1/comments/"+path, nil).Status(200).Data()
		got := fmt.Sprintf("%v %v %v, %d of them", data["totalCommentsInteger"], data["totalPages"], data["currentPage"], len(data["comments"].([]any)))
		if got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	first := w.nobody.JSON("GET", "/api/v1/comments/"+w.post+"?limit=3", nil).Status(200).Data()
	after := w.nobody.JSON("GET", "/api/v1/comments/"+w.post+"?limit=3&after="+first["next"].(string), nil).Status(200).Data()
	if after["currentPage"] != nil || after["totalPages"] != nil || after["totalCommentsInteger"] != nil {
		t.Errorf("a page after a cursor has a number: %v", after)
	}
	for _, page := range []string{"0", "-1", "11", "x", "1.5"} {
		if answer := w.nobody.JSON("GET", "/api/v1/comments/"+w.post+"?page="+page, nil).Status(422); answer.Fault("page") == "" {
			t.Errorf("page %s: %s", page, answer)
		}
	}
}

// Ten simultaneous requests make one like, and one deletion.
func TestCommentsTwiceAtOnce(t *testing.T) {
	w := newTalk(t)
	codes := func(method, path string) map[int]int {
		var all sync.WaitGroup
		var mu sync.Mutex
		found := map[int]int{}
		for range 10 {
			c := w.bob.Copy()
			all.Go(func() {
				code := c.JSON(method, path, nil).Code
				mu.Lock()
				defer mu.Unlock()
				found[code]++
			})
		}
		all.Wait()
		return found
	}
	if got := codes("PUT", "/api/v1/likes/c/"+w.answer); got[200] != 10 {
		t.Error(got)
	}
	answer := w.bob.JSON("PUT", "/api/v1/likes/c/"+w.answer, nil).Status(200).Data()
	if answer["likesCount"] != 1.0 || answer["isLiked"] != true {
		t.Error(answer)
	}
	if toggled := w.bob.JSON("POST", "/api/v1/likes/toggle/c/"+w.answer, nil).Status(200).Data(); toggled["likesCount"] != 0.0 || toggled["isLiked"] != false {
		t.Error(toggled)
	}
	if got := codes("DELETE", "/api/v1/comments/c/"+w.first); got[200] != 1 || got[404] != 9 {
		t.Error(got)
	}
	if n := w.count(w.nobody); n != "1" {
		t.Errorf("%s are counted", n)
	}
}

func TestCommentsAreLimited(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.RateLimit = true })
	alice, bob := site.User("alice"), site.User("bob")
	post := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201).ID()
	for range 30 {
		bob.JSON("POST", "/api/v1/comments/"+post, testsite.M{"content": "hi"}).Status(201)
	}
	if answer := bob.JSON("POST", "/api/v1/comments/"+post, testsite.M{"content": "hi"}).Status(429); answer.Header.Get("Retry-After") == "" {
		t.Error("it does not say when to try again")
	}
	alice.JSON("POST", "/api/v1/comments/"+post, testsite.M{"content": "hi"}).Status(201)
	bob.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).Status(201)
}
