package controllers_test

import (
	"bytes"
	"fmt"
	"image"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/config"
	"tokentube/e2e/testsite"
	"tokentube/models"
	"tokentube/utils/picture"
)

func TestPostAVideo(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	content := testsite.Video
	file := testsite.File{Field: "videoFile", Name: "clip.mp4", Content: content}
	answer := c.Upload("POST", "/api/v1/videos/publish-video", map[string]string{"title": " A ball ", "description": "It bounces.", "tags": "Ball, #fun,ball,"}, file).Status(201)
	post := answer.Data()
	id := answer.ID()
	if answer.Header.Get("Location") != "/api/v1/videos/"+id {
		t.Errorf("Location: %s", answer.Header.Get("Location"))
	}
	if post["kind"] != "video" || post["title"] != "A ball" || post["isPublished"] != true || post["duration"].(float64) < 1 {
		t.Errorf("%v", post)
	}
	if tags := post["tags"].([]any); len(tags) != 2 || tags[0] != "ball" || tags[1] != "fun" {
		t.Errorf("tags: %v", tags)
	}
	r := httptest.NewRequest("GET", "https://localhost/media/posts/"+id, nil)
	r.Header.Set("Range", "bytes=4-7")
	part := site.Client().Do(r).Status(http.StatusPartialContent)
	if part.Body != string(content[4:8]) || part.Header.Get("Content-Type") != "video/mp4" || part.Header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("%q, %v", part.Body, part.Header)
	}
	thumbnail := strings.TrimPrefix(post["thumbnail"].(string), "https://localhost")
	drawn := site.Client().Get(thumbnail).Status(200)
	site.Client().Get("/watch/"+id).Status(200).Has("A ball", "It bounces.", thumbnail)

	newPicture := testsite.File{Field: "thumbnail", Name: "t.png", Content: png(t, 64, 36)}
	changed := c.Upload("PATCH", "/api/v1/videos/"+id, map[string]string{"title": "A better title"}, newPicture).Status(200).Data()
	if changed["title"] != "A better title" || changed["description"] != "It bounces." || changed["editedAt"] == nil {
		t.Errorf("%v", changed)
	}
	if again := site.Client().Get(thumbnail).Status(200); again.Body == drawn.Body || again.Header.Get("ETag") == drawn.Header.Get("ETag") {
		t.Error("the thumbnail was not replaced")
	}
}

func TestPostAPhotoByForm(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	to := c.Upload("POST", "/photos", map[string]string{"title": "Hills", "alt": "Some <hills>", "visibility": "public"},
		testsite.File{Field: "photo", Name: "h.png", Content: png(t, 80, 60)}).Status(http.StatusSeeOther).Header.Get("Location")
	c.Get(to).Status(200).Has("Published. Anyone can see it now.", "Some &lt;hills&gt;")
	id := strings.TrimPrefix(to, "/photos/")
	read := site.Client().JSON("GET", "/api/v1/photos/"+id, nil).Status(200).Data()
	if read["width"] != 80.0 || read["height"] != 60.0 || read["alt"] != "Some <hills>" {
		t.Errorf("%v", read)
	}
	site.Client().Get("/watch/" + id).Status(404) // it is not a video
}

func TestAWidePhotoHasAPreview(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	upload := func(width int, visibility string) *testsite.Answer {
		t.Helper()
		return alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "Hills", "visibility": visibility},
			testsite.File{Field: "photo", Name: "h.png", Content: png(t, width, 900)}).Status(201)
	}
	wide, narrow, draft := upload(2400, "public"), upload(1600, "public").ID(), upload(2000, "draft").ID()
	file, page := "/media/posts/"+wide.ID(), "/photos/"+wide.ID()
	if got := wide.Data()["preview"]; got != "https://localhost"+file+"/preview" {
		t.Errorf("the preview is at %v", got)
	}
	widthOf := func(path string) int {
		t.Helper()
		size, _, err := image.DecodeConfig(strings.NewReader(bob.Get(path).Status(200).Body))
		if err != nil {
			t.Fatal(err)
		}
		return size.Width
	}
	if preview, whole := widthOf(file+"/preview"), widthOf(file); preview != 1600 || whole != 2400 {
		t.Errorf("the preview is %d wide, the photo %d", preview, whole)
	}
	bob.Get(page).Status(200).Has(`src="`+file+`" srcset="`+file+`/preview 1600w, `+file+` 2400w" sizes="min(100vw, 71rem, 80vh * 2400 / 900)"`, `width="2400" height="900"`, "Full size, 2400 × 900")
	bob.Get("/photos/"+narrow).Status(200).Has(`src="/media/posts/`+narrow+`"`).HasNot("srcset", "/preview", "Full size")
	bob.Get("/media/posts/" + narrow + "/preview").Status(404)

	// It is as private as the photo.
	for _, c := range []*testsite.Client{bob, site.Client()} {
		c.Get("/media/posts/" + draft + "/preview").Status(404)
	}
	if h := alice.Get("/media/posts/" + draft + "/preview").Status(200).Header; h.Get("Cache-Control") != "no-store" {
		t.Errorf("a draft's preview: %v", h)
	}
	alice.JSON("PATCH", "/api/v1/photos/"+wide.ID(), testsite.M{"visibility": "draft"}).Status(200)
	bob.Get(file + "/preview").Status(404)

	// And is deleted with it.
	before := storedFiles(t, site)
	alice.JSON("DELETE", "/api/v1/photos/"+wide.ID(), nil).Status(200)
	site.DB.WaitRemovals()
	if gone := before - storedFiles(t, site); gone != 3 {
		t.Errorf("%d files went with a photo", gone)
	}
}

// Photos from earlier versions have no preview. They are shown as they are, and everything works.
func TestPhotosWithoutAPreviewStay(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	sent, err := site.Media.Receive(t.Context(), "photo", bytes.NewReader(png(t, 1800, 90)))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := site.Media.SavePhoto(t.Context(), sent)
	if err != nil {
		t.Fatal(err)
	}
	if err := site.Media.Delete(t.Context(), stored.Preview); err != nil {
		t.Fatal(err)
	}
	old := &models.Post{
		Owner: mustID(t, idOf(t, alice)), Kind: models.Photo, Title: "Hills", Visibility: models.Public,
		Media: stored.Name, Size: stored.Size, Width: stored.Width, Height: stored.Height, Thumbnail: stored.Thumbnail,
	}
	if err := site.Posts.Create(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	id := old.ID.Hex()
	site.Client().Get("/photos/"+id).Status(200).Has(`src="/media/posts/`+id+`"`).HasNot("srcset", "/preview")
	if data := site.Client().JSON("GET", "/api/v1/photos/"+id, nil).Status(200).Data(); data["preview"] != nil || data["width"] != 1800.0 {
		t.Errorf("got %v", data)
	}
	site.Client().Get("/media/posts/" + id + "/preview").Status(404)
	site.Client().Get("/media/posts/" + id + "/thumbnail").Status(200)
	alice.JSON("PATCH", "/api/v1/photos/"+id, testsite.M{"title": "Old hills"}).Status(200)
	alice.JSON("DELETE", "/api/v1/photos/"+id, nil).Status(200)
	site.DB.WaitRemovals()
	if left := storedFiles(t, site); left != 1 {
		t.Errorf("%d files are left, want the avatar alone", left)
	}
}

func TestPostsRefuse(t *testing.T) {
	site := testsite.New(t)
	c := site.User("alice")
	clip := testsite.Video
	for _, r := range []struct {
		path   string
		fields map[string]string
		file   testsite.File
		status int
		field  string
	}{
		{"/tweets", map[string]string{"content": "  \r\n "}, testsite.File{}, 422, "content"},
		{"/tweets", map[string]string{"content": strings.Repeat("é", 2001)}, testsite.File{}, 422, "content"},
		{"/tweets", map[string]string{"content": "x", "visibility": "secret"}, testsite.File{}, 422, "visibility"},
		{"/tweets", map[string]string{"content": "x", "tags": strings.Repeat("a", 31)}, testsite.File{}, 422, "tags"},
		{"/tweets", map[string]string{"content": strings.Repeat("x", 21<<10)}, testsite.File{}, 413, ""},
		{"/photos", map[string]string{"title": "x"}, testsite.File{}, 422, "photo"},
		{"/photos", map[string]string{"title": ""}, testsite.File{Field: "photo", Content: png(t, 9, 9)}, 422, "title"},
		{"/photos", map[string]string{"title": strings.Repeat("x", 121)}, testsite.File{Field: "photo", Content: png(t, 9, 9)}, 422, "title"},
		{"/photos", map[string]string{"title": "x"}, testsite.File{Field: "photo", Content: clip}, 415, ""},
		{"/photos", map[string]string{"title": "x"}, testsite.File{Field: "photo", Content: png(t, 90, 90)[:70]}, 422, "photo"},
		{"/videos/publish-video", map[string]string{"title": "x"}, testsite.File{}, 422, "videoFile"},
		{"/videos/publish-video", map[string]string{"title": "x"}, testsite.File{Field: "videoFile", Content: []byte("<html>")}, 415, ""},
		{"/videos/publish-video", map[string]string{"title": "x"}, testsite.File{Field: "videoFile", Content: clip[:len(clip)/2]}, 422, "videoFile"},
	} {
		r.file.Name = "file"
		var files []testsite.File
		if r.file.Field != "" {
			files = append(files, r.file)
		}
		answer := c.Upload("POST", "/api/v1"+r.path, r.fields, files...).Status(r.status)
		if r.field != "" && answer.Fault(r.field) == "" {
			t.Errorf("%s %.60v names no fault of %s: %s", r.path, r.fields, r.field, answer)
		}
	}
	if left := storedFiles(t, site); left != 1 {
		t.Errorf("%d files stored, want the avatar alone", left)
	}
	c.JSON("POST", "/api/v1/tweets", testsite.M{"content": testsite.M{"a": 1}}).Status(422)
	c.PostForm("/posts", url.Values{"content": {""}, "tags": {"<b>"}}).Status(422).Has("Enter some text.", "&lt;b&gt;")
}

func TestDraftsAreNobodyElses(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	draft := alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "Secret hills", "visibility": "draft"},
		testsite.File{Field: "photo", Name: "h.png", Content: png(t, 80, 60)}).Status(201).ID()
	for _, c := range []*testsite.Client{bob, site.Client()} {
		for _, path := range []string{"/photos/" + draft, "/api/v1/photos/" + draft, "/media/posts/" + draft, "/media/posts/" + draft + "/thumbnail", "/@alice?tab=drafts"} {
			c.Get(path).Status(404)
		}
		for _, path := range []string{"/", "/@alice", "/api/v1/feed", "/api/v1/videos"} {
			c.Get(path).Status(200).HasNot("Secret hills", draft)
		}
	}
	bob.JSON("PUT", "/api/v1/likes/v/"+draft, nil).Status(404)
	alice.Get("/@alice?tab=drafts").Status(200).Has("Secret hills")
	cached := func(c *testsite.Client, want string) {
		t.Helper()
		for _, path := range []string{"/media/posts/" + draft, "/media/posts/" + draft + "/thumbnail"} {
			if h := c.Get(path).Status(200).Header; h.Get("Cache-Control") != want || h.Get("Vary") != "Cookie" {
				t.Errorf("%s: %v, want %s", path, h, want)
			}
		}
	}
	cached(alice, "no-store")

	posts := func() any { return bob.JSON("GET", "/api/v1/users/channel/alice", nil).Data()["postsCount"] }
	alice.PostForm("/photos/"+draft+"?_method=PATCH", url.Values{"visibility": {"public"}}).Status(http.StatusSeeOther)
	bob.Get("/").Status(200).Has("Secret hills", "/media/posts/"+draft+"/thumbnail")
	cached(bob, "private, no-cache")
	cached(site.Client(), "private, no-cache")
	alice.JSON("PATCH", "/api/v1/photos/"+draft, testsite.M{"visibility": "public"}).Status(200)
	if got := posts(); got != 1.0 {
		t.Errorf("published twice: %v posts counted", got)
	}
	alice.JSON("PATCH", "/api/v1/photos/"+draft, testsite.M{"visibility": "draft"}).Status(200)
	for _, path := range []string{"/photos/" + draft, "/api/v1/photos/" + draft, "/media/posts/" + draft, "/media/posts/" + draft + "/thumbnail"} {
		bob.Get(path).Status(404)
	}
	if got := posts(); got != 0.0 {
		t.Errorf("unpublished: %v posts counted", got)
	}
}

// Earlier versions stored thumbnails under public names, which remain known.
func TestOldThumbnailsAreNotPublic(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	id := alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "Hills"}, testsite.File{Field: "photo", Name: "h.png", Content: png(t, 80, 60)}).ID()
	user := alice.JSON("GET", "/api/v1/users/get-current-user", nil).Data()
	avatar := strings.TrimPrefix(user["avatar"].(string), "https://localhost")
	post, err := bson.ObjectIDFromHex(id)
	if err != nil {
		t.Fatal(err)
	}
	owner, _ := bson.ObjectIDFromHex(user["_id"].(string))
	old, err := site.Media.SaveInitials(t.Context(), picture.Initials("Old"))
	if err != nil {
		t.Fatal(err)
	}
	site.Client().Get("/media/" + old).Status(200)
	if _, err := site.Posts.Update(t.Context(), owner, post, models.PostChanges{Thumbnail: &old}); err != nil {
		t.Fatal(err)
	}
	site.Client().Get("/media/" + old).Status(404)
	site.Client().Get("/media/posts/" + id + "/thumbnail").Status(200)
	if got := site.Client().Get(avatar).Status(200).Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
		t.Errorf("an avatar is kept by %q", got)
	}
}

func TestToggleVideo(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	id := alice.Upload("POST", "/api/v1/videos/publish-video", map[string]string{"title": "x"}, testsite.File{Field: "videoFile", Name: "x", Content: testsite.Video}).ID()
	for _, want := range []bool{false, true} {
		if got := alice.JSON("PATCH", "/api/v1/videos/toggle/"+id, nil).Status(200).Data()["isPublished"]; got != want {
			t.Errorf("isPublished: %v, want %v", got, want)
		}
	}
	site.User("bob").JSON("PATCH", "/api/v1/videos/toggle/"+id, nil).Status(403)
}

func TestDeletePost(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	id := alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "Hills"}, testsite.File{Field: "photo", Name: "h.png", Content: png(t, 80, 60)}).ID()
	bob.JSON("PUT", "/api/v1/likes/v/"+id, nil).Status(200)
	alice.Get("/photos/" + id + "/delete").Status(200).Has("Hills")
	bob.PostForm("/photos/"+id+"?_method=DELETE", nil).Status(403)
	alice.PostForm("/photos/"+id+"?_method=DELETE", nil).Status(http.StatusSeeOther)
	alice.JSON("DELETE", "/api/v1/photos/"+id, nil).Status(404)
	bob.Get("/photos/" + id).Status(404)
	site.DB.WaitRemovals()
	if left := storedFiles(t, site); left != 2 {
		t.Errorf("%d files stored, want the two avatars", left)
	}
	if got := bob.JSON("GET", "/api/v1/users/channel/alice", nil).Data()["postsCount"]; got != 0.0 {
		t.Errorf("%v posts counted", got)
	}
}

func TestLikesCountOnce(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	id := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).ID()
	many := func(method, path string, want testsite.M) {
		t.Helper()
		var all sync.WaitGroup
		for range 16 {
			tab := bob.Copy()
			all.Go(func() { tab.JSON(method, path, nil).Status(200) })
		}
		all.Wait()
		if got := bob.JSON("GET", "/api/v1/tweets/"+id, nil).Data(); got["likesCount"] != want["likesCount"] || got["isLiked"] != want["isLiked"] {
			t.Errorf("after 16 times %s: %v likes, isLiked %v", method, got["likesCount"], got["isLiked"])
		}
	}
	many("PUT", "/api/v1/likes/t/"+id, testsite.M{"likesCount": 1.0, "isLiked": true})
	many("DELETE", "/likes/v/"+id, testsite.M{"likesCount": 0.0, "isLiked": false})
	bob.PostForm("/likes/v/"+id+"?_method=PUT", nil).Status(http.StatusSeeOther)
	alice.JSON("POST", "/api/v1/likes/toggle/t/"+id, nil).Status(200).Has(`"isLiked":true`, `"likesCount":2`)
	alice.JSON("POST", "/api/v1/likes/toggle/v/"+id, nil).Status(200).Has(`"isLiked":false`, `"likesCount":1`)
	site.Client().JSON("GET", "/api/v1/tweets/"+id, nil).Status(200).Has(`"isLiked":false`)
}

func TestViewsCountOncePerViewerAndHour(t *testing.T) {
	site := testsite.New(t)
	alice, bob := site.User("alice"), site.User("bob")
	id := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).ID()
	views := func() any { return bob.JSON("GET", "/api/v1/tweets/"+id, nil).Data()["views"] }
	for range 3 {
		bob.Get("/posts/" + id).Status(200)
	}
	look := func(address, agent, purpose string) {
		r := httptest.NewRequest("GET", "https://localhost/posts/"+id, nil)
		r.RemoteAddr = net.JoinHostPort(address, "4321")
		r.Header.Set("User-Agent", agent)
		r.Header.Set("Sec-Purpose", purpose)
		site.Client().Do(r).Status(200)
	}
	for i := range 100 { // from one network, with made-up names
		look(fmt.Sprintf("2001:db8:1:%x::1", i), fmt.Sprint("browser ", i), "")
	}
	look("192.0.2.1", "browser", "prefetch")
	for range 2 {
		alice.Get("/posts/" + id).Status(200) // her own
	}
	if got := views(); got != 2.0 {
		t.Errorf("%v views, want 2", got)
	}
	look("192.0.2.1", "browser", "")
	site.Clock.Advance(time.Hour)
	if got := views(); got != 4.0 {
		t.Errorf("%v views an hour later, want 4", got)
	}
}

// Views over the limits are shown but not counted, and a request that isn't a view writes nothing.
func TestViewsRunOut(t *testing.T) {
	site := testsite.New(t, func(c *config.Config) { c.RateLimit = true })
	alice := site.User("alice")
	ids := make([]string, 301)
	for i := range ids {
		ids[i] = alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": fmt.Sprint(i)}).Status(201).ID()
		site.Clock.Advance(time.Second) // for the limit of writes
	}
	look := func(id, address string) any {
		r := httptest.NewRequest("GET", "https://localhost/api/v1/tweets/"+id, nil)
		r.RemoteAddr = net.JoinHostPort(address, "4321")
		return site.Client().Do(r).Status(200).Data()["views"]
	}
	for i, id := range ids {
		want := 1.0
		if i == 300 {
			want = 0
		}
		if got := look(id, fmt.Sprintf("192.0.2.%d", i%256)); got != want {
			t.Fatalf("post %d: %v views", i, got)
		}
	}
	if got := look(ids[300], "198.51.100.1"); got != 1.0 {
		t.Errorf("from elsewhere: %v views", got)
	}
	if site.Config.MongoURI != "" {
		return // what follows inspects the file of the embedded engine
	}
	file := func() string {
		data, err := os.ReadFile(site.Config.DatabaseFile())
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	before := file()
	for now := ""; now != before; { // the day's statistics are updated in the background
		now = before
		time.Sleep(200 * time.Millisecond)
		before = file()
	}
	for range 3 {
		for _, id := range ids {
			look(id, "192.0.2.7")
		}
	}
	if file() != before {
		t.Error("looks that are no views were written")
	}
}

func TestFeedPages(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	var want []string
	for range 7 {
		want = append([]string{alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello"}).ID()}, want...)
	}
	for _, c := range []struct {
		path string
		want []string
	}{
		{"/api/v1/feed?limit=3", want}, {"/api/v1/videos?limit=2&kind=text", want}, {"/api/v1/videos?limit=1", want},
		{"/api/v1/videos?limit=3&kind=video", nil},
	} {
		var got []string
		path := c.path
		for path != "" {
			data := alice.JSON("GET", path, nil).Status(200).Data()
			for _, p := range data["videos"].([]any) {
				got = append(got, p.(testsite.M)["_id"].(string))
			}
			path = ""
			if next, ok := data["next"].(string); ok {
				path = c.path + "&after=" + next
			}
		}
		if strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%s: %v, want %v", c.path, got, c.want)
		}
	}
	alice.Get("/?limit=3").Status(200).Has("after=")
	for path, status := range map[string]int{
		"/api/v1/feed?limit=0": 422, "/api/v1/feed?limit=x": 422, "/api/v1/feed?limit=1000": 200, "/api/v1/feed?after=nonsense": 422,
		"/api/v1/feed?kind=film": 422, "/?after=MTIzIHg": 422, "/api/v1/videos?sortBy=size": 422, "/api/v1/videos?sortType=up": 422,
		"/api/v1/videos?userId=nobody": 404, "/api/v1/tweets/user/nobody": 404, "/api/v1/feed?tab=nothing": 422,
	} {
		alice.Get(path).Status(status)
	}
}

// Text of the allowed length is accepted in every script, also where a form needs nine or twelve bytes for a letter.
func TestFormsAcceptTheLongestTexts(t *testing.T) {
	site := testsite.New(t)
	alice := site.User("alice")
	for _, letter := range []string{"a", "é", "漢", "😀"} {
		text, long := strings.Repeat(letter, 2000), strings.Repeat(letter, 5000)
		alice.PostForm("/posts", url.Values{"content": {text}}).Status(303)
		alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": text}).Status(201)
		alice.PostForm("/playlists", url.Values{"name": {letter}, "description": {long}}).Status(303)
		photo := alice.Upload("POST", "/api/v1/photos", map[string]string{"title": "A photo"}, testsite.File{Field: "photo", Name: "a.png", Content: testsite.Picture(t)}).Status(201).ID()
		alice.PostForm("/photos/"+photo+"?_method=PATCH", url.Values{"title": {"A photo"}, "description": {long}}).Status(303)
	}
	// The end of a long text counts when a key comes twice.
	send := func(end string) int {
		return keyed(alice, "k").PostForm("/playlists", url.Values{"name": {"The end"}, "description": {strings.Repeat("😀", 4999) + end}}).Code
	}
	if first, other, again := send("a"), send("b"), send("a"); first != 303 || other != 422 || again != 303 {
		t.Errorf("sent %d, with another end %d, again %d", first, other, again)
	}
}
