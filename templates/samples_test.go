package templates_test

import (
	"strings"
	"time"

	"tokentube/controllers"
	"tokentube/controllers/lab"
	"tokentube/models"
	"tokentube/utils/source"
)

// The values below are the controllers' own, with addresses that a test can set.
type (
	address string
	owner   struct {
		controllers.Owner
		Avatar address
	}
	user struct {
		controllers.User
		Avatar, CoverImage address
	}
	post struct {
		controllers.Post
		Owner                       owner
		VideoFile, Photo, Thumbnail *address
	}
	viewer struct {
		ID, Username, FullName, Email string
		Avatar                        address
		Theft                         *time.Time
	}
	home struct {
		Videos           []post
		Next, Kind, More string
	}
	show struct {
		Post post
		More []post
	}
	form struct { // of creating and editing
		Post                                                     post
		Kind, Title, Description, Content, Tags, Alt, Visibility string
	}
	channel struct {
		Channel         user
		Videos          []post
		Kind, Tab, More string
		IsMine          bool
	}
	register struct{ Username, Email, FullName string }
	login    struct {
		Identifier string
		Remember   bool
		Next       string
	}
	profile struct {
		FullName, Bio      string
		Avatar, CoverImage address
	}
	account  struct{ Username, Email string }
	sessions struct{ Sessions []controllers.Session }
	lessons  struct{ Lessons []lab.Lesson }
	security struct {
		Events []controllers.LogEntry
		More   string
	}
)

func (a address) String() string   { return string(a) }
func (a address) Absolute() string { return "https://tube.example" + string(a) }

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func samplePost(kind string, published bool) post {
	file, thumb, length := address("/media/a"), address("/media/b.jpg"), 75.0
	p := post{Post: controllers.Post{
		ID: "65f000000000000000000001", Kind: kind, Title: "Tide", Description: "First line\nsecond", Tags: []string{"sea"},
		IsPublished: published, Views: 1234, LikesCount: 1, CreatedAt: now.Add(-48 * time.Hour), EditedAt: &now,
	}, Owner: owner{controllers.Owner{Username: "alice", FullName: "Alice"}, "/media/c.jpg"}}
	if published {
		p.PublishedAt = &now
	}
	switch kind {
	case "video":
		p.VideoFile, p.Thumbnail, p.Duration = &file, &thumb, &length
	case "photo":
		p.Photo, p.Thumbnail, p.Alt, p.Width, p.Height = &file, &thumb, "Waves", 800, 600
	case "text":
		p.Title, p.Content = "", "Some words"
	}
	return p
}

// samples are the pages with every kind of data that they are given.
func samples() map[string][]any {
	var posts, drafts []post
	all := map[string][]any{
		"users/new": {register{}, register{"alice", "alice@example.com", "Alice"}}, "sessions/new": {login{}, login{"alice", true, "/create"}},
		"settings/profile": {profile{}, profile{"Alice", "Hello", "/media/a.jpg", "/media/b.jpg"}}, "settings/account": {account{"alice", "alice@example.com"}},
		"settings/password": {nil}, "settings/delete": {nil}, "errors/show": {nil},
		"posts/new": {form{}},
	}
	for _, kind := range []string{"video", "photo", "text"} {
		public, draft := samplePost(kind, true), samplePost(kind, false)
		posts, drafts = append(posts, public), append(drafts, draft)
		mine, bare := draft, public
		mine.IsMine, mine.IsLiked, bare.Thumbnail, bare.Duration, bare.Tags = true, true, nil, nil, nil
		all["posts/show"] = append(all["posts/show"], show{public, []post{public, bare}}, show{mine, nil}, show{bare, nil})
		filled := form{public, kind, "Tide", "About", "Some words", "sea, sky", "Waves", "draft"}
		for _, page := range []string{"posts/new", "posts/edit", "posts/delete"} {
			all[page] = append(all[page], filled)
		}
	}
	here, there := controllers.Place{Device: "Mac", Browser: "Safari", IP: "192.0.2.1"}, controllers.Place{Device: "iPhone", Browser: "Chrome", IP: "2001:db8::1"}
	mine := controllers.Session{ID: "1", Place: here, CreatedAt: now, LastSeenAt: now, Current: true}
	all["settings/sessions"] = []any{sessions{[]controllers.Session{mine}}, sessions{[]controllers.Session{mine, {ID: "2", Place: there, CreatedAt: now, LastSeenAt: now, Renewals: 12}}}}
	all["settings/security"] = []any{security{}, security{[]controllers.LogEntry{
		{Type: models.EventTokenReuse, Message: "Reused", Place: there, Count: 1, CreatedAt: now, LastAt: now},
		{Type: models.EventLoginFailed, Message: "Failed", Place: there, Count: 7, CreatedAt: now, LastAt: now},
		{Type: models.EventSessionEnded, Message: "Ended", Place: here, Ended: &there, Count: 1, CreatedAt: now, LastAt: now},
	}, "/settings/security?after=x"}}
	first := lab.Lesson{
		Slug: "jwt", Title: "A page", Summary: "What it tells.", After: &lab.LessonLink{Slug: "b", Title: "The next"},
		Code: []source.Piece{{Name: "models.User.HasRole", File: "models/user.go", Line: 7, Text: "func f() string { return `<b>` } // yes"}},
		Try:  []lab.Try{{Name: "expire", Label: "Let it run out"}},
	}
	last := lab.Lesson{Title: "A page", Before: &lab.LessonLink{Slug: "a", Title: "The one before"}}
	all["learn/index"] = []any{lessons{[]lab.Lesson{first, last}}}
	for _, slug := range strings.Fields("jwt two-tokens login storage cookies refresh rotation theft logout https mistakes compared") {
		all["learn/"+slug] = []any{first, last}
	}
	played := &lab.Session{ID: "1", Timeline: []lab.Event{{At: "12:00:00 UTC", Text: "It began.", Kind: "issued"}}}
	buttons := []lab.Button{{Name: "expire", Label: "Let it run out", Summary: "Waits."}}
	tokens := []lab.Token{{Name: "LabAccessToken", Mark: "A1", Header: "e30", Payload: "e30", Signature: "x", Head: "{}", Claims: []lab.Claim{{Name: "sid", Value: "1", Meaning: "the session"}}, ExpiresAt: now, Left: 3}}
	result := &lab.Result{
		Name: "expire", Label: "Let it run out", Findings: []lab.Finding{{Text: "So it is.", OK: true}, {Text: "So it is not."}},
		Steps:   []lab.Step{{Title: "Waited"}, {Title: "Asked", Request: []string{"GET /"}, Status: 401, StatusText: "Unauthorized", Header: []string{"A: b"}, Body: "{}", Before: []string{"none"}, After: []string{"none"}, Lost: true}},
		Session: played, Code: first.Code,
	}
	all["lab/index"] = []any{lab.Page{Experiments: buttons}, lab.Page{Experiments: buttons, Session: played, Tokens: tokens}, lab.Page{Experiments: buttons, Result: result}}
	alice := user{User: controllers.User{Username: "alice", FullName: "Alice", Bio: "Hello", PostsCount: 3, CreatedAt: now}, CoverImage: "/media/d.jpg"}
	all["home/index"] = []any{home{}, home{Videos: posts, Next: "x", More: "/?after=x"}, home{Videos: posts, Kind: "photo"}}
	all["channels/show"] = []any{channel{Channel: alice}, channel{alice, posts, "video", "", "/@alice?after=x", false}, channel{alice, drafts, "", "drafts", "", true}, channel{Channel: alice, Tab: "drafts", IsMine: true}}
	return all
}
