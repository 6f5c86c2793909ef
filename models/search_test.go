package models

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/words"
)

// found are the titles, or the texts, of a query's results, in order.
func (w *world) found(t *testing.T, text string, q PostQuery) (titles []string) {
	t.Helper()
	for p := (store.Paging{Limit: 2}); ; {
		page, err := w.Posts.Search(watched(), bson.NilObjectID, text, q, p)
		fatal(t, err)
		for _, post := range page.Items {
			titles = append(titles, strings.TrimSpace(post.Title+" "+post.Description))
		}
		if p.After = page.Next; p.After == "" {
			return titles
		}
	}
}

func (w *world) titled(t *testing.T, owner *User, title, description string, tags ...string) *Post {
	t.Helper()
	w.advance(time.Minute)
	p := &Post{Owner: owner.ID, Kind: Photo, Title: title, Description: description, Tags: tags}
	fatal(t, w.Posts.Create(watched(), p))
	return p
}

func wantFound(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s finds %q, want %q", what, got, want)
	}
}

func TestSearchRanksByField(t *testing.T) {
	w := newWorld(t)
	alice, sea := w.user(t, "alice"), w.user(t, "sea.captain")
	w.titled(t, alice, "Sea", "")
	w.titled(t, sea, "Hills", "")
	w.titled(t, alice, "Coast", "the sea")
	w.titled(t, alice, "Waves", "", "sea")
	w.titled(t, alice, "Seaside", "")
	w.titled(t, alice, "Sky", "blue")
	w.titled(t, alice, "A sea", "again")
	wantFound(t, "sea", w.found(t, "sea", PostQuery{}), "A sea again", "Sea", "Seaside", "Waves", "Hills", "Coast the sea")
	wantFound(t, "the oldest", w.found(t, "sea", PostQuery{Sort: ByCreated, Ascending: true}), "Sea", "Hills", "Coast the sea", "Waves", "Seaside", "A sea again")
	wantFound(t, "all words", w.found(t, "again sea", PostQuery{}), "A sea again")
	wantFound(t, "a channel's word and the post's", w.found(t, "captain hil", PostQuery{}), "Hills")
	wantFound(t, "of a channel", w.found(t, "sea", PostQuery{Owner: sea.ID}), "Hills")
	wantFound(t, "of a kind", w.found(t, "sea", PostQuery{Kind: Video}))
	wantFound(t, "an unfinished word before another", w.found(t, "seas coast", PostQuery{}))
	wantFound(t, "a tag", w.found(t, "#sea", PostQuery{}), "Waves")
	wantFound(t, "a tag and a word", w.found(t, "waves #sea", PostQuery{}), "Waves")
	wantFound(t, "nothing", w.found(t, "( .*", PostQuery{}))
	likes, err := w.Posts.Search(watched(), bson.NilObjectID, "sea", PostQuery{Sort: ByLikes}, store.Paging{})
	if err != nil || likes.Total != 6 || len(likes.Items) != 6 {
		t.Errorf("by likes: %d of %d, %v", len(likes.Items), likes.Total, err)
	}
	for _, sort := range []PostSort{ByViews, ByTrending} {
		wantFound(t, string(sort), w.found(t, "coast", PostQuery{Sort: sort}), "Coast the sea")
	}
}

// What others may not see is not found, and is found again when they may.
func TestSearchFindsWhatIsVisible(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	p := w.titled(t, alice, "Sunset", "")
	want := func(when string, titles ...string) {
		t.Helper()
		for _, q := range []string{"sunset", "sun", "alice"} {
			wantFound(t, when+", "+q, w.found(t, q, PostQuery{}), titles...)
		}
	}
	draft, public, title := Draft, Public, "Dawn"
	want("published", "Sunset")
	_, err := w.Posts.Update(watched(), alice.ID, p.ID, PostChanges{Visibility: &draft})
	fatal(t, err)
	want("a draft")
	if n, err := w.Posts.posts.Frequency(watched(), "keywords", "sunset", 10); err != nil || n != 0 {
		t.Errorf("a draft has keywords: %d, %v", n, err)
	}
	_, err = w.Posts.Update(watched(), alice.ID, p.ID, PostChanges{Visibility: &public})
	fatal(t, err)
	want("published again", "Sunset")
	_, err = w.Posts.Update(watched(), alice.ID, p.ID, PostChanges{Title: &title})
	fatal(t, err)
	wantFound(t, "the old title", w.found(t, "sunset", PostQuery{}))
	wantFound(t, "the new title", w.found(t, "dawn", PostQuery{}), "Dawn")
	name := "Zoë"
	_, err = w.Users.Update(watched(), alice.ID, UserChanges{FullName: &name})
	fatal(t, err)
	wantFound(t, "the new name", w.found(t, "zoe", PostQuery{}), "Dawn")
	w.titled(t, bob, "Dawn", "too")
	w.disable(t, alice)
	wantFound(t, "a disabled account's", w.found(t, "dawn", PostQuery{}), "Dawn too")
	if page, err := w.Users.Search(watched(), "zoe", store.Paging{}); err != nil || len(page.Items) != 0 {
		t.Errorf("a disabled account is found: %v, %v", page.Items, err)
	}
	fatal(t, w.Users.Delete(watched(), bob.ID))
	wantFound(t, "a deleted account's", w.found(t, "dawn", PostQuery{}))
	w.DB.WaitRemovals()
	w.checkWhole(t)
}

func TestSearchOfChannels(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"sunny", "sunny.days", "sunnyside", "rainy.days"} {
		w.user(t, name)
	}
	subscriber, err := w.Users.ByUsername(watched(), "rainy.days")
	fatal(t, err)
	days, err := w.Users.ByUsername(watched(), "sunny.days")
	fatal(t, err)
	fatal(t, w.Subscriptions.Add(watched(), subscriber.ID, days.ID))
	find := func(text string) (names []string) {
		for p := (store.Paging{Limit: 2}); ; {
			page, err := w.Users.Search(watched(), text, p)
			fatal(t, err)
			for _, u := range page.Items {
				names = append(names, u.Username)
			}
			if p.After = page.Next; p.After == "" {
				return names
			}
		}
	}
	wantFound(t, "sunny", find("sunny"), "sunny.days", "sunny", "sunnyside")
	wantFound(t, "@sunny.days", find("@sunny.days"), "sunny.days")
	wantFound(t, "days rai", find("days rai"), "rainy.days")
	wantFound(t, "#sunny", find("#sunny"))
	wantFound(t, "nothing", find(`"`))
}

// A post or a channel with several words that begin like the query is found once.
func TestSearchFindsEachOnce(t *testing.T) {
	w := newWorld(t)
	alice := w.user(t, "alice")
	w.titled(t, alice, "The sun", "a sunny day, sunshine and sunsets", "sunday")
	w.titled(t, alice, "Sunny", "and sunshine")
	wantFound(t, "sun", w.found(t, "sun", PostQuery{}), "The sun a sunny day, sunshine and sunsets", "Sunny and sunshine")
	wantFound(t, "the sun", w.found(t, "the sun", PostQuery{}), "The sun a sunny day, sunshine and sunsets")
	w.user(t, "ann.anna.annabel")
	page, err := w.Users.Search(watched(), "ann", store.Paging{})
	if err != nil || len(page.Items) != 1 || page.Total != 1 {
		t.Errorf("ann finds %d channels of %d, %v", len(page.Items), page.Total, err)
	}
	wantFound(t, "a channel's words", w.found(t, "ali", PostQuery{}), "Sunny and sunshine", "The sun a sunny day, sunshine and sunsets")
}

// Each tag that a post shows leads to it.
func TestTagsLeadToTheirPosts(t *testing.T) {
	w := newWorld(t)
	p := w.titled(t, w.user(t, "alice"), "Waves", "", "!!!", "#", "C++", "new york", "🌊", "日本", "…")
	if want := []string{"c++", "new york", "🌊", "日本"}; !slices.Equal(p.Tags, want) {
		t.Errorf("the tags are %q, want %q", p.Tags, want)
	}
	for _, tag := range p.Tags {
		wantFound(t, tag, w.found(t, words.Tag(tag), PostQuery{}), "Waves")
	}
}

// A word that occurs in very many posts costs no more than maxCandidates documents, and doesn't hide what a rarer one
// finds.
func TestSearchOfFrequentWords(t *testing.T) {
	w := newWorld(t)
	alice := w.user(t, "alice")
	rare := w.titled(t, alice, "the rare", "")
	posts := make([]any, 0, maxCandidates+100)
	for i := range cap(posts) {
		p := &Post{ID: bson.NewObjectID(), Owner: alice.ID, Kind: Text, Description: fmt.Sprint("the post of the day ", i), Tags: []string{}, Visibility: Public}
		at := w.now().Add(time.Duration(i) * time.Second)
		p.CreatedAt, p.UpdatedAt, p.PublishedAt = at, at, &at
		fatal(t, w.Posts.posts.Insert(watched(), p))
	}
	w.advance(time.Hour)
	for text, want := range map[string]int{"rare the": 1, "the rare": 1, "the ra": 0, "the rar": 1, "the": maxCandidates, "the p": maxCandidates, "post": maxCandidates, "the day 777": 1} {
		page, err := w.Posts.Search(watched(), bson.NilObjectID, text, PostQuery{}, store.Paging{Limit: 100})
		fatal(t, err)
		if page.Total > maxCandidates || want == maxCandidates && page.Total < maxCandidates-ofNamesakes || want < maxCandidates && page.Total != want {
			t.Errorf("%q finds %d posts, want %d", text, page.Total, want)
		}
		if want == 1 && text != "the day 777" && page.Items[0].ID != rare.ID {
			t.Errorf("%q finds %s", text, page.Items[0].Description)
		}
	}
}

// Documents of an earlier version have no keywords and no score: they get them at the start, and Repair fixes wrong
// ones.
func TestKeywordsOfEarlierVersions(t *testing.T) {
	w := newPlace(t).open(t)
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	p, draft := w.titled(t, alice, "Sunset", ""), w.post(t, alice, Draft)
	fatal(t, w.Likes.Add(watched(), bob.ID, p.ID))
	liked, err := w.Posts.Visible(watched(), bob.ID, p.ID)
	fatal(t, err)
	for _, post := range []*Post{p, draft} {
		_, err := w.Posts.posts.Update(watched(), store.Where("_id", post.ID), bson.D{{Key: "$unset", Value: store.Where("keywords", "", "trending", "")}})
		fatal(t, err)
	}
	_, err = w.Users.users.Update(watched(), store.Where("_id", alice.ID), bson.D{store.Unset("keywords")})
	fatal(t, err)
	wantFound(t, "without keywords", w.found(t, "sunset", PostQuery{}))
	fatal(t, w.DB.Close(t.Context()))

	w = w.place.open(t)
	wantFound(t, "after the start", w.found(t, "sunset", PostQuery{}), "Sunset")
	if page, err := w.Users.Search(watched(), "alice", store.Paging{}); err != nil || len(page.Items) != 1 {
		t.Errorf("alice is not found: %v, %v", page.Items, err)
	}
	if now, err := w.Posts.Visible(watched(), bob.ID, p.ID); err != nil || now.Trending != liked.Trending {
		t.Errorf("the score is %g, was %g, %v", now.Trending, liked.Trending, err)
	}

	_, err = w.Posts.posts.Update(watched(), store.Where("_id", p.ID), bson.D{store.Set("keywords", []string{"wrong"})})
	fatal(t, err)
	w.mu.Lock()
	w.repairing = true
	w.mu.Unlock()
	done, err := w.DB.Repair(t.Context(), store.Repair{Say: t.Logf})
	if err != nil || done.Mended != 1 {
		t.Errorf("repaired: %+v, %v", done, err)
	}
	wantFound(t, "after a repair", w.found(t, "sunset", PostQuery{}), "Sunset")
	fatal(t, w.DB.Close(t.Context()))
}
