package models

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// told is what a user sees of their notifications, latest first: "like of post by carol bob", with "!" if it is unread.
// The number of unread ones is the one in the header.
func (w *world) told(t testing.TB, u *User) string {
	t.Helper()
	w.DB.WaitRemovals() // and for other background jobs
	all, unread := []string{}, 0
	for p := (store.Paging{Limit: 2}); ; {
		page, err := w.Notifications.Page(watched(), u.ID, p)
		fatal(t, err)
		for _, n := range page.Items {
			text, about := string(n.Type), ""
			switch {
			case n.Comment != nil:
				about = " of comment"
			case n.Post != nil:
				about = " of post"
			}
			names := make([]string, len(n.Actors))
			for i, a := range n.Actors {
				names[i] = a.Username
			}
			if text += about + " by " + strings.Join(names, " "); !n.Read {
				text, unread = text+"!", unread+1
			}
			all = append(all, text)
		}
		if p.After = page.Next; page.Next == "" {
			break
		}
	}
	n, err := w.Notifications.Unread(watched(), u.ID)
	fatal(t, err)
	if n != min(unread, MaxUnread) {
		t.Errorf("%d are unread, and %d are counted: %v", unread, n, all)
	}
	return strings.Join(all, ", ")
}

func (w *world) wantTold(t testing.TB, u *User, want string) {
	t.Helper()
	if got := w.told(t, u); got != want {
		t.Errorf("%s is told %q, want %q", u.Username, got, want)
	}
}

// write adds a comment with this text.
func (w *world) write(t testing.TB, by *User, on *Post, to *Comment, words string) *Comment {
	t.Helper()
	w.advance(time.Second)
	c := &Comment{Owner: by.ID, Post: on.ID, Content: words}
	if to != nil {
		c.Parent = to.ID
	}
	fatal(t, w.Comments.Create(watched(), c))
	w.DB.WaitRemovals()
	return c
}

func TestLikesAndSubscriptionsAreToldInGroups(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob, carol, dave := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol"), w.user(t, "dave")
	post := w.post(t, alice, Public)
	for _, u := range []*User{alice, bob, carol, bob} {
		fatal(t, w.Likes.Add(ctx, u.ID, post.ID))
	}
	w.wantTold(t, alice, "like of post by carol bob!")
	w.advance(time.Second)
	fatal(t, w.Subscriptions.Add(ctx, carol.ID, alice.ID))
	w.wantTold(t, alice, "subscriber by carol!, like of post by carol bob!")
	fatal(t, w.Notifications.ReadAll(ctx, alice.ID))
	w.wantTold(t, alice, "subscriber by carol, like of post by carol bob")
	w.advance(time.Second)
	fatal(t, w.Likes.Add(ctx, dave.ID, post.ID))
	w.wantTold(t, alice, "like of post by dave carol bob!, subscriber by carol")

	for range 2 {
		fatal(t, w.Likes.Remove(ctx, carol.ID, post.ID))
		fatal(t, w.Subscriptions.Remove(ctx, carol.ID, alice.ID))
	}
	w.wantTold(t, alice, "like of post by dave bob!")
	fatal(t, w.Likes.Remove(ctx, dave.ID, post.ID))
	fatal(t, w.Likes.Remove(ctx, bob.ID, post.ID))
	w.wantTold(t, alice, "")
	for _, u := range []*User{bob, carol, dave} {
		w.wantTold(t, u, "")
	}
	w.checkWhole(t)
}

func TestCommentsAreToldToEachOnce(t *testing.T) {
	w := newWorld(t)
	alice, bob, carol, dave := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol"), w.user(t, "dave")
	post := w.post(t, alice, Public)
	first := w.write(t, bob, post, nil, "@bob, @alice and @carol@ and carol@dave.example")
	w.wantTold(t, alice, "mention of comment by bob!")
	w.wantTold(t, bob, "")
	w.wantTold(t, carol, "")
	answer := w.write(t, carol, post, first, "yes, @bob @dave")
	w.wantTold(t, bob, "reply of comment by carol!")
	w.wantTold(t, dave, "mention of comment by carol!")
	w.wantTold(t, alice, "comment of comment by carol!, mention of comment by bob!")
	deeper := w.write(t, dave, post, answer, "no")
	w.wantTold(t, carol, "reply of comment by dave!")
	w.wantTold(t, bob, "reply of comment by dave!, reply of comment by carol!")
	w.advance(time.Second)
	fatal(t, w.CommentLikes.Add(watched(), alice.ID, deeper.ID))
	w.wantTold(t, dave, "like of comment by alice!, mention of comment by carol!")

	notices, err := w.Comments.notices(watched(), deeper.ID, []bson.ObjectID{carol.ID}, post) // as in the background
	if err != nil || fmt.Sprint(notices[0].To, notices[1].To, notices[2].To) != fmt.Sprint(carol.ID, bob.ID, alice.ID) {
		t.Errorf("%v, %v", notices, err)
	}
	_, err = w.Comments.Update(watched(), dave.ID, deeper.ID, "no, @alice @carol")
	fatal(t, err)
	w.wantTold(t, carol, "mention of comment by dave!, reply of comment by dave!")
	_, err = w.Comments.Delete(watched(), dave.ID, deeper.ID)
	fatal(t, err)
	w.wantTold(t, carol, "")
	w.wantTold(t, dave, "mention of comment by carol!")
	_, err = w.Comments.Delete(watched(), bob.ID, first.ID) // leaves a placeholder
	fatal(t, err)
	w.wantTold(t, alice, "comment of comment by carol!")
	fatal(t, w.Posts.Delete(watched(), alice.ID, post.ID))
	for _, u := range []*User{alice, bob, carol, dave} {
		w.wantTold(t, u, "")
	}
	if left := w.documents(t)["notifications"]; len(left) > 0 {
		t.Errorf("%d are left", len(left))
	}
	w.checkWhole(t)
}

func TestMentions(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	words, public := "hello @bob, @alice and @nobody", Public
	post := &Post{Owner: alice.ID, Kind: Text, Description: words, Visibility: Draft}
	fatal(t, w.Posts.Create(ctx, post))
	w.wantTold(t, bob, "")
	_, err := w.Posts.Update(ctx, alice.ID, post.ID, PostChanges{Visibility: &public})
	fatal(t, err)
	w.wantTold(t, bob, "mention of post by alice!")
	fatal(t, w.Notifications.LookedAt(ctx, bob.ID, post.ID))
	w.wantTold(t, bob, "mention of post by alice")
	if fresh, err := w.Notifications.mentioned(ctx, Notice{Post: post.ID}, "@bob, @alice and @carol", "@alice @bob"); err != nil || len(fresh) > 0 {
		t.Errorf("%v, %v", fresh, err)
	}
	draft := Draft
	_, err = w.Posts.Update(ctx, alice.ID, post.ID, PostChanges{Visibility: &draft})
	fatal(t, err)
	w.wantTold(t, bob, "")
	_, err = w.Posts.Update(ctx, alice.ID, post.ID, PostChanges{Visibility: &public})
	fatal(t, err)
	w.wantTold(t, bob, "mention of post by alice")

	many := ""
	for i := range 12 {
		many += " @" + w.user(t, fmt.Sprintf("fan-%d", 10+i)).Username
	}
	fatal(t, w.Posts.Create(ctx, &Post{Owner: alice.ID, Kind: Text, Description: many, Visibility: Public}))
	w.DB.WaitRemovals()
	if n := len(w.documents(t)["notifications"]); n != 1+10 {
		t.Errorf("%d are told, want bob and ten", n)
	}
}

func TestWhoIsNotTold(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	hers, carols := w.post(t, alice, Public), w.post(t, carol, Public)
	said := w.write(t, alice, carols, nil, "hello")
	fatal(t, w.Likes.Add(ctx, bob.ID, hers.ID))
	fatal(t, w.Likes.Add(ctx, carol.ID, hers.ID))
	w.write(t, bob, carols, nil, "@alice")
	w.wantTold(t, alice, "mention of comment by bob!, like of post by carol bob!")

	fatal(t, w.Blocks.Add(ctx, alice.ID, bob.ID))
	w.wantTold(t, alice, "like of post by carol!") // nothing by people she has blocked, not even earlier actions
	w.write(t, bob, carols, nil, "@alice, again")
	fatal(t, w.CommentLikes.Add(ctx, bob.ID, said.ID))
	fatal(t, w.Posts.Create(ctx, &Post{Owner: bob.ID, Kind: Text, Description: "@alice!", Visibility: Public}))
	w.wantTold(t, alice, "like of post by carol!")
	fatal(t, w.Blocks.Remove(ctx, alice.ID, bob.ID))
	w.wantTold(t, alice, "mention of comment by bob!, like of post by carol bob!") // and nothing of what happened in the meantime

	u, err := w.Notifications.Choose(ctx, alice.ID, map[NoticeType]bool{NoticeMention: false, NoticeSubscriber: false})
	if err != nil || !slices.Equal(u.NotificationsOff, []NoticeType{NoticeMention, NoticeSubscriber}) {
		t.Errorf("%v, %v", u.NotificationsOff, err)
	}
	u, err = w.Notifications.Choose(ctx, alice.ID, map[NoticeType]bool{NoticeSubscriber: true})
	if err != nil || !slices.Equal(u.NotificationsOff, []NoticeType{NoticeMention}) {
		t.Errorf("%v, %v", u.NotificationsOff, err)
	}
	fatal(t, w.Notifications.ReadAll(ctx, alice.ID))
	w.write(t, carol, carols, nil, "@alice")
	w.write(t, carol, hers, nil, "@alice") // a comment on her post, if she doesn't want mentions
	fatal(t, w.Subscriptions.Add(ctx, carol.ID, alice.ID))
	w.wantTold(t, alice, "subscriber by carol!, comment of comment by carol!, mention of comment by bob, like of post by carol bob")

	fatal(t, w.Users.Delete(ctx, carol.ID))
	w.wantTold(t, alice, "like of post by bob")
	w.disable(t, bob)
	w.wantTold(t, alice, "")
}

func TestNotificationsAreTheirUsersOwn(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	post := w.post(t, alice, Public)
	fatal(t, w.Likes.Add(ctx, bob.ID, post.ID))
	page, err := w.Notifications.Page(ctx, alice.ID, store.Paging{})
	fatal(t, err)
	id := page.Items[0].ID
	for _, err := range []error{
		w.Notifications.Read(ctx, bob.ID, id), w.Notifications.Delete(ctx, bob.ID, id),
		w.Notifications.Read(ctx, alice.ID, bson.NewObjectID()), w.Notifications.Delete(ctx, alice.ID, bson.NewObjectID()),
	} {
		wantCode(t, err, apperr.NotFound, "")
	}
	fatal(t, w.Notifications.ReadAll(ctx, bob.ID))
	fatal(t, w.Notifications.LookedAt(ctx, bob.ID, post.ID))
	w.wantTold(t, alice, "like of post by bob!")
	for range 2 {
		fatal(t, w.Notifications.Read(ctx, alice.ID, id))
	}
	w.wantTold(t, alice, "like of post by bob")
	fatal(t, w.Notifications.Delete(ctx, alice.ID, id))
	wantCode(t, w.Notifications.Delete(ctx, alice.ID, id), apperr.NotFound, "")
	fatal(t, w.Likes.Remove(ctx, bob.ID, post.ID))
	w.wantTold(t, alice, "")
}

// What the user looks at counts as read, and nothing else does.
func TestSeen(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	post, other := w.post(t, alice, Public), w.post(t, alice, Public)
	fatal(t, w.Subscriptions.Add(ctx, bob.ID, alice.ID))
	w.advance(time.Second)
	fatal(t, w.Likes.Add(ctx, bob.ID, other.ID))
	first := w.write(t, bob, post, nil, "one")
	w.write(t, bob, post, nil, "two")
	fatal(t, w.Notifications.LookedAt(ctx, alice.ID, post.ID, first.ID))
	w.wantTold(t, alice, "comment of comment by bob!, comment of comment by bob, like of post by bob!, subscriber by bob!")
	fatal(t, w.Notifications.LookedAt(ctx, alice.ID, bson.ObjectID{}))
	w.wantTold(t, alice, "comment of comment by bob!, comment of comment by bob, like of post by bob!, subscriber by bob")
}

// The count in the header equals the list, however many there are, and however many of them are not visible.
func TestManyNotifications(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	seen, hidden := w.post(t, alice, Public), w.post(t, bob, Public)
	for i := range 130 {
		post := seen
		if i >= 20 {
			post = hidden
		}
		w.advance(time.Second)
		fatal(t, w.Notifications.Tell(ctx, bob.ID, Notice{Type: NoticeMention, To: alice.ID, Post: post.ID, Comment: w.comment(t, bob, post, nil).ID}))
	}
	w.DB.WaitRemovals()
	if n, err := w.Notifications.Unread(ctx, alice.ID); n != MaxUnread || err != nil {
		t.Errorf("%d are counted, %v", n, err)
	}
	off := true
	_, err := w.Posts.Update(ctx, bob.ID, hidden.ID, PostChanges{CommentsOff: &off})
	fatal(t, err)
	if got := strings.Count(w.told(t, alice), "!"); got != 40 { // each as a comment on her post, and as a mention
		t.Errorf("%d are listed", got)
	}
}

func TestActorsAreKeptUpToANumber(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	post := w.post(t, alice, Public)
	for i := range ActorsKept + 2 {
		fatal(t, w.Likes.Add(ctx, w.user(t, fmt.Sprintf("fan-%d", 100+i)).ID, post.ID))
	}
	page, err := w.Notifications.Page(ctx, alice.ID, store.Paging{})
	fatal(t, err)
	n := page.Items[0]
	if len(n.Actors) != ActorsKept || !n.AndMore() || n.Actors[0].Username != fmt.Sprint("fan-", 101+ActorsKept) {
		t.Errorf("%d actors, more: %v, the last is %s", len(n.Actors), n.AndMore(), n.Actors[0].Username)
	}
}

func TestOldNotificationsExpire(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	fatal(t, w.Subscriptions.Add(ctx, bob.ID, alice.ID))
	page, err := w.Notifications.Page(ctx, alice.ID, store.Paging{})
	fatal(t, err)
	if got := page.Items[0].ExpiresAt.Sub(w.now()); got != 90*24*time.Hour {
		t.Errorf("it is kept for %v", got)
	}
}

// Ten people like and unlike at once, each several times: what is left is exactly who likes it.
func TestLikesAtOnceAreToldExactly(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	post := w.post(t, alice, Public)
	var all sync.WaitGroup
	for i := range 10 {
		u := w.user(t, fmt.Sprintf("fan-%d", 10+i))
		all.Go(func() {
			for range 3 {
				fatal(t, w.Likes.Add(ctx, u.ID, post.ID))
				fatal(t, w.Likes.Add(ctx, u.ID, post.ID))
				fatal(t, w.Likes.Remove(ctx, u.ID, post.ID))
			}
			if i < 4 {
				fatal(t, w.Likes.Add(ctx, u.ID, post.ID))
			}
		})
	}
	all.Wait()
	page, err := w.Notifications.Page(ctx, alice.ID, store.Paging{})
	fatal(t, err)
	if len(page.Items) != 1 || len(page.Items[0].Actors) != 4 {
		t.Errorf("alice is told %s", w.told(t, alice))
	}
	w.told(t, alice)
	w.checkWhole(t)
}

// Alice is neither notified of what she may not see, nor is it counted; it comes back when she may see it.
func TestNobodyIsToldOfWhatIsOutOfSight(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	hers, carols := w.post(t, alice, Public), w.post(t, carol, Public)
	fatal(t, w.Likes.Add(ctx, bob.ID, hers.ID))
	said := w.write(t, alice, carols, nil, "hello")
	fatal(t, w.CommentLikes.Add(ctx, bob.ID, said.ID))
	reply := w.write(t, bob, carols, said, "hello, alice")
	const all = "reply of comment by bob!, like of comment by bob!, like of post by bob!"
	w.wantTold(t, alice, all)

	visibility := func(p *Post, v Visibility) error {
		_, err := w.Posts.Update(ctx, p.Owner, p.ID, PostChanges{Visibility: &v})
		return err
	}
	comments := func(off bool) error {
		_, err := w.Posts.Update(ctx, carol.ID, carols.ID, PostChanges{CommentsOff: &off})
		return err
	}
	account := func(u *User, change func(context.Context, Moderator, bson.ObjectID) error) error {
		err := change(ctx, Moderator{}, u.ID)
		w.settle(t, u)
		return err
	}
	for _, c := range []struct {
		name      string
		out, back func() error
		told      string // in the meantime
	}{
		{"a hidden post", func() error { _, _, err := w.Posts.hide(ctx, carols.ID); return err }, func() error { _, _, err := w.Posts.restore(ctx, carols.ID); return err }, "like of post by bob!"},
		{"a draft", func() error { return visibility(carols, Draft) }, func() error { return visibility(carols, Public) }, "like of post by bob!"},
		{"a post of a disabled account", func() error { return account(carol, w.Moderation.Disable) }, func() error { return account(carol, w.Moderation.Enable) }, "like of post by bob!"},
		{"comments that are turned off", func() error { return comments(true) }, func() error { return comments(false) }, "like of post by bob!"},
		{"a hidden reply", func() error { _, _, err := w.Comments.hide(ctx, reply.ID); return err }, func() error { _, _, err := w.Comments.restore(ctx, reply.ID); return err }, "like of comment by bob!, like of post by bob!"},
		{"her own hidden comment", func() error { _, _, err := w.Comments.hide(ctx, said.ID); return err }, func() error { _, _, err := w.Comments.restore(ctx, said.ID); return err }, "reply of comment by bob!, like of post by bob!"},
		{"what a disabled account did", func() error { return account(bob, w.Moderation.Disable) }, func() error { return account(bob, w.Moderation.Enable) }, ""},
		{"her own draft, which she sees", func() error { return visibility(hers, Draft) }, func() error { return visibility(hers, Public) }, all},
		{"her own hidden post, which she sees", func() error { _, _, err := w.Posts.hide(ctx, hers.ID); return err }, func() error { _, _, err := w.Posts.restore(ctx, hers.ID); return err }, all},
	} {
		t.Run(c.name, func(t *testing.T) {
			fatal(t, c.out())
			w.wantTold(t, alice, c.told)
			fatal(t, c.back())
			w.wantTold(t, alice, all)
		})
	}
	w.checkWhole(t)
}
