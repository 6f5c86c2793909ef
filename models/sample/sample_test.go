package sample_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokentube/e2e/testsite"
	"tokentube/models"
	"tokentube/models/sample"
	"tokentube/models/store"
	"tokentube/utils/apperr"
)

func fill(ctx context.Context, s *testsite.Site) (sample.Added, error) {
	return sample.Filler{Site: s.App.Site, Files: s.Media, Hasher: s.Hasher}.Fill(ctx)
}

// filled adds the sample content.
func filled(t *testing.T, s *testsite.Site) sample.Added {
	t.Helper()
	added, err := fill(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return added
}

// account describes a document, as far as it is the same however it was created.
func account(d testsite.Document) string {
	switch d.Collection {
	case "users":
		return fmt.Sprint("user ", d.Lookup("username"), d.Lookup("postsCount"), d.Lookup("subscribersCount"), d.Lookup("subscriptionsCount"), d.Lookup("playlistsCount"))
	case "posts":
		return fmt.Sprint("post ", d.Lookup("title"), d.Lookup("description"), d.Lookup("views"), d.Lookup("likesCount"), d.Lookup("commentsCount"))
	case "comments":
		return fmt.Sprint("comment ", d.Lookup("content"), d.Lookup("likesCount"), d.Lookup("repliesCount"))
	case "playlists":
		return fmt.Sprint("playlist ", d.Lookup("name"), d.Lookup("itemsCount"))
	case "views", "dailies", "attempts": // these expire, and are written in the background
		return ""
	}
	return d.Collection
}

// summary is the content of the site, sorted.
func summary(s *testsite.Site) string {
	var all []string
	for _, d := range s.Documents() {
		if text := account(d); text != "" {
			all = append(all, text)
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// checkWhole fails the test if a repair would fix anything.
func checkWhole(t *testing.T, s *testsite.Site) {
	t.Helper()
	s.DB.WaitRemovals()
	done, err := s.DB.Repair(t.Context(), store.Repair{Say: func(format string, args ...any) { t.Errorf(format, args...) }})
	if err != nil || done.Mended > 0 || done.Lost > 0 {
		t.Errorf("a repair finds %+v, %v", done, err)
	}
}

func TestFill(t *testing.T) {
	s := testsite.New(t)
	// A day has just begun: the time at which the charts cover the shortest period.
	s.Clock.Advance(time.Until(time.Now().UTC().Truncate(24 * time.Hour).Add(24*time.Hour + time.Minute)))
	added := filled(t, s)
	t.Run("makes a living site", func(t *testing.T) { checkPages(t, s, added) })
	t.Run("is spread over the last weeks", func(t *testing.T) { checkTimes(t, s) })
	t.Run("adds nothing the second time", func(t *testing.T) { fillAgain(t, s, added) })
	t.Run("leaves disabled channels alone", func(t *testing.T) { refuseDisabled(t, s) })
}

func checkPages(t *testing.T, s *testsite.Site, added sample.Added) {
	t.Helper()
	if added.Channels != 8 || added.Posts != 40 || !strings.HasPrefix(added.String(), "Added 8 channels with 40 posts. Log in as northern-sky with the password ") {
		t.Errorf("it added %+v: %s", added, added)
	}
	checkFiles(t, s)
	c := s.Client()
	c.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": added.Username, "password": added.Password}).Status(200)
	for _, page := range []string{"/", "/?tab=trending", "/?tab=subscriptions", "/studio", "/history", "/liked"} {
		c.Get(page).Status(200).HasNot("Nothing here yet", "Nothing from your")
	}
	c.Get("/playlists").Status(200).Has("Worth getting up for", "Ideas for the long lens", "Watch later")
	s.Client().Get("/@" + added.Username + "?tab=playlists").Status(200).Has("Worth getting up for").HasNot("Ideas for the long lens")
	s.Client().Get("/search?q=pendulums").Status(200).Has("Thirteen pendulums, let go at once")
	me, err := s.Users.ByLogin(t.Context(), added.Username)
	check(t, err)
	if n, err := s.Notifications.Unread(t.Context(), me.ID); n == 0 || err != nil {
		t.Errorf("nobody told it anything: %d, %v", n, err)
	}
	checkWhole(t, s)
}

func checkFiles(t *testing.T, s *testsite.Site) {
	t.Helper()
	kinds := map[string]int{}
	for _, folder := range []string{"private", "public"} {
		found, err := os.ReadDir(filepath.Join(s.Config.MediaDir(), folder))
		check(t, err)
		for _, file := range found {
			kinds[folder+filepath.Ext(file.Name())]++
		}
	}
	// Videos and photos with their thumbnails; the banners and the initials.
	if want := map[string]int{"private.mp4": 7, "private.jpg": 7 + 2*10, "public.jpg": 8 + 8}; !maps.Equal(kinds, want) {
		t.Errorf("the files are %v, want %v", kinds, want)
	}
}

// Events are in order: nobody publishes before joining, or replies before the comment, and nothing is in the future.
func checkTimes(t *testing.T, s *testsite.Site) {
	t.Helper()
	now := s.DB.Now()
	at := map[string]time.Time{}
	for _, d := range s.Documents() {
		at[d.ID()], _ = d.Lookup("createdAt").TimeOK()
	}
	posts := 0
	for _, d := range s.Documents() {
		made, is := d.Lookup("createdAt").TimeOK()
		if !is {
			continue
		}
		if made.After(now) || d.Collection != "users" && now.Sub(made) > (models.ChartDays-1)*24*time.Hour {
			t.Errorf("one of the %s is of %v", d.Collection, made)
		}
		for _, field := range []string{"owner", "post", "parent", "user", "target"} {
			if id, is := d.Lookup(field).ObjectIDOK(); is && at[id.Hex()].After(made) {
				t.Errorf("one of the %s is older than its %s", d.Collection, field)
			}
		}
		if d.Collection == "posts" {
			posts++
			if published := d.Lookup("publishedAt").Time(); !published.Equal(made) {
				t.Errorf("a post of %v was published at %v", made, published)
			}
		}
	}
	if posts != 40 {
		t.Errorf("there are %d posts", posts)
	}
	checkCharts(t, s)
}

func checkCharts(t *testing.T, s *testsite.Site) {
	t.Helper()
	all := models.Figures{}
	for _, d := range s.Documents() {
		if d.Collection != "users" {
			continue
		}
		id, _ := d.Lookup("_id").ObjectIDOK()
		days, err := s.Dailies.Last(t.Context(), id, models.ChartDays)
		check(t, err)
		busy := 0
		for _, day := range days {
			all.Views, all.Likes, all.Comments, all.Subscribers = all.Views+day.Views, all.Likes+day.Likes, all.Comments+day.Comments, all.Subscribers+day.Subscribers
			if day.Views > 0 {
				busy++
			}
		}
		if busy < models.ChartDays/3 {
			t.Errorf("%v was seen on %d days alone", d.Lookup("username"), busy)
		}
	}
	want := models.Figures{}
	for _, d := range s.Documents() {
		switch d.Collection {
		case "posts":
			want.Views += d.Lookup("views").AsInt64()
			want.Likes += d.Lookup("likesCount").AsInt64()
			want.Comments += d.Lookup("commentsCount").AsInt64()
		case "subscriptions":
			want.Subscribers++
		}
	}
	if all != want || min(all.Views, all.Likes, all.Comments, all.Subscribers) == 0 {
		t.Errorf("the charts show %+v, and there is %+v", all, want)
	}
}

func fillAgain(t *testing.T, s *testsite.Site, first sample.Added) {
	t.Helper()
	before := summary(s)
	s.Clock.Advance(50 * time.Hour)
	second := filled(t, s)
	if second.Channels+second.Posts != 0 || !strings.Contains(second.String(), "already there") {
		t.Errorf("the second time it added %+v", second)
	}
	if after := summary(s); after != before {
		t.Errorf("it changed something:\n%s\n\n%s", before, after)
	}
	c := s.Client()
	c.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": first.Username, "password": first.Password}).Status(401)
	c.JSON("POST", "/api/v1/users/login", testsite.M{"identifier": second.Username, "password": second.Password}).Status(200)
	checkWhole(t, s)
}

// dying is a context that is cancelled after it has been checked a number of times.
type dying struct {
	context.Context
	left atomic.Int64
	end  context.CancelFunc
}

func (d *dying) Err() error {
	if d.left.Add(-1) < 0 {
		d.end()
	}
	return d.Context.Err()
}

func TestFillGoesOnWhereItWasStopped(t *testing.T) {
	whole := testsite.New(t)
	filled(t, whole)
	want := summary(whole)
	s, stops := testsite.New(t), 0
	for asked := int64(20); ; asked *= 4 { // a driver checks less often than the embedded engine
		ctx, end := context.WithCancel(t.Context())
		d := &dying{Context: ctx, end: end}
		d.left.Store(asked)
		if _, err := fill(d, s); err == nil {
			break
		}
		stops++
		s.Clock.Advance(time.Hour)
	}
	if stops < 3 {
		t.Errorf("it was stopped %d times", stops)
	}
	if got := summary(s); got != want {
		t.Errorf("it is another site:\n%s", differences(want, got))
	}
	checkFiles(t, s)
	checkWhole(t, s)
}

// Concurrent runs, in two processes if the engine allows it: one adds everything, once, and the others get a conflict.
func TestFillTwiceAtOnce(t *testing.T) {
	one := testsite.New(t)
	sites := []*testsite.Site{one, one}
	if one.Config.MongoURI != "" {
		sites[1] = testsite.Open(t, one.Config, one.Clock)
	}
	results := make([]error, 4)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() { _, results[i] = fill(t.Context(), sites[i%2]) })
	}
	all.Wait()
	done := 0
	for _, err := range results {
		switch {
		case err == nil:
			done++
		case !apperr.Is(err, apperr.Conflict):
			t.Error(err)
		}
	}
	if done == 0 { // more than one if they run one after another
		t.Error("no run has added it")
	}
	whole := testsite.New(t)
	filled(t, whole)
	if got, want := summary(one), summary(whole); got != want {
		t.Errorf("it is another site:\n%s", differences(want, got))
	}
	checkFiles(t, one)
	checkWhole(t, one)
}

// A run that was killed blocks others for models.TurnTime, and no longer.
func TestFillAfterOneThatWasKilled(t *testing.T) {
	s := testsite.New(t)
	_, err := s.Turns.Take(t.Context(), "sample content")
	check(t, err)
	if _, err := fill(t.Context(), s); !apperr.Is(err, apperr.Conflict) {
		t.Errorf("a second run started: %v", err)
	}
	s.Clock.Advance(models.TurnTime)
	filled(t, s)
}

func differences(a, b string) (text string) {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for _, line := range x {
		if !slices.Contains(y, line) {
			text += "- " + line + "\n"
		}
	}
	for _, line := range y {
		if !slices.Contains(x, line) {
			text += "+ " + line + "\n"
		}
	}
	return cmp.Or(text, fmt.Sprintf("%d and %d lines", len(x), len(y)))
}

func TestFillTouchesNobodyElsesAccount(t *testing.T) {
	s := testsite.New(t)
	c := s.Client()
	c.JSON("POST", "/api/v1/users/register", testsite.M{
		"username": "quiet-hours", "email": "somebody@example.org", "fullName": "Somebody", "password": testsite.Password,
	}).Status(201)
	before := summary(s)
	if _, err := fill(t.Context(), s); !apperr.Is(err, apperr.Conflict) || !strings.Contains(err.Error(), "quiet-hours") {
		t.Errorf("it was not refused: %v", err)
	}
	if after := summary(s); after != before {
		t.Errorf("it changed something: %s", differences(before, after))
	}
	s.SignIn("quiet-hours")
}

func refuseDisabled(t *testing.T, s *testsite.Site) {
	t.Helper()
	u, err := s.Users.ByLogin(t.Context(), "small_machines")
	check(t, err)
	check(t, s.Moderation.Disable(t.Context(), models.Moderator{}, u.ID))
	if _, err := fill(t.Context(), s); !apperr.Is(err, apperr.Conflict) || !strings.Contains(err.Error(), "small_machines") {
		t.Errorf("it was not refused: %v", err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
