package models

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// admin makes an administrator.
func (w *world) admin(t testing.TB, name string) (*User, Moderator) {
	t.Helper()
	u, err := w.Users.SetRoles(watched(), w.user(t, name).ID, []string{Admin})
	fatal(t, err)
	return u, Moderator{u.ID, Device{"curl", "192.0.2.9"}}
}

// settle does what Moderation does in the background, in the view of the tests' query watcher.
func (w *world) settle(t testing.TB, u *User) {
	t.Helper()
	w.DB.WaitRemovals()
	fatal(t, w.Moderation.Settle(watched(), u.ID))
}

// lists are how many posts of a channel are in everybody's list and in the channel's own, and how many are counted.
func (w *world) lists(t testing.TB, viewer bson.ObjectID, u *User) string {
	t.Helper()
	n := [2]int{}
	for i, q := range []PostQuery{{}, {Owner: u.ID}} {
		page, err := w.Posts.Page(watched(), viewer, q, store.Paging{Limit: 100})
		fatal(t, err)
		for _, p := range page.Items {
			if p.Owner == u.ID {
				n[i]++
			}
		}
	}
	fresh, err := w.Users.ByID(watched(), u.ID)
	fatal(t, err)
	return fmt.Sprint(n[0], n[1], fresh.PostsCount)
}

func TestDisabledAccountsComeBackWhole(t *testing.T) {
	w, ctx := newWorld(t), watched()
	_, by := w.admin(t, "ada")
	dora, bob := w.user(t, "dora"), w.user(t, "bob")
	var posts []*Post
	for range suspendTogether + 5 { // more than one batch
		posts = append(posts, w.post(t, dora, Public))
	}
	draft, ofBob := w.post(t, dora, Draft), w.post(t, bob, Public)
	answered, reply := w.comment(t, dora, ofBob, nil), (*Comment)(nil)
	reply = w.comment(t, bob, ofBob, answered)
	alone, underBob := w.comment(t, dora, ofBob, nil), w.comment(t, bob, ofBob, nil)
	w.comment(t, dora, ofBob, underBob)
	session := w.session(t, dora)
	want := func(when, lists string, comments int) {
		t.Helper()
		if got := w.lists(t, bob.ID, dora); got != lists {
			t.Errorf("%s: lists and counts are %s, want %s", when, got, lists)
		}
		w.checkCounted(t, ofBob, comments)
	}
	want("before", "55 55 55", 5)

	for range 2 {
		fatal(t, w.Moderation.Disable(ctx, by, dora.ID))
	}
	_, err := w.Posts.Visible(ctx, bob.ID, posts[0].ID) // immediately, whatever the background does
	wantCode(t, err, apperr.NotFound, "")
	w.settle(t, dora)
	want("disabled", "0 0 0", 2)
	if _, err := w.Sessions.Cached(ctx, session.ID); err == nil {
		t.Error("the session lives")
	}
	for name, find := range map[string]func() error{
		"channel":  func() error { _, err := w.Users.ByUsername(ctx, "dora"); return err },
		"comment":  func() error { _, err := w.Comments.Visible(ctx, bob.ID, alone.ID); return err },
		"answered": func() error { _, err := w.Comments.Visible(ctx, bob.ID, answered.ID); return err },
	} {
		if err := find(); !apperr.Is(err, apperr.NotFound) {
			t.Errorf("the %s is there: %v", name, err)
		}
	}
	if left := w.listed(t, bob.ID, ofBob); len(left) != 3 || left[1].State != CommentDeleted || left[1].Content != "" || !left[1].Owner.IsZero() {
		t.Errorf("%d comments are listed: %+v", len(left), left)
	}
	if _, err := w.Comments.Visible(ctx, bob.ID, reply.ID); err != nil {
		t.Errorf("the reply to it: %v", err)
	}
	wantCode(t, w.Users.ConfirmPassword(ctx, dora), apperr.NotFound, "") // a login that started before

	for range 2 {
		fatal(t, w.Moderation.Enable(ctx, by, dora.ID))
	}
	_, err = w.Posts.Visible(ctx, bob.ID, posts[0].ID)
	fatal(t, err)
	w.settle(t, dora)
	want("enabled", "55 55 55", 5)
	_, err = w.Posts.Visible(ctx, bob.ID, draft.ID)
	wantCode(t, err, apperr.NotFound, "")
	if n := len(w.documents(t)["suspensions"]); n != 0 {
		t.Errorf("%d suspensions are left", n)
	}
	w.checkWhole(t)
}

// However often and quickly an account is disabled and enabled, all its content ends up in the right state.
func TestDisabledAndEnabledAtOnce(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	_, by := w.admin(t, "ada")
	dora, bob := w.user(t, "dora"), w.user(t, "bob")
	for range 60 {
		w.post(t, dora, Public)
	}
	post := w.post(t, bob, Public)
	w.comment(t, bob, post, w.comment(t, dora, post, nil))
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			do := w.Moderation.Disable
			if i%2 == 0 {
				do = w.Moderation.Enable
			}
			if err := do(ctx, by, dora.ID); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	fatal(t, w.Moderation.Enable(ctx, by, dora.ID))
	w.settle(t, dora)
	if got := w.lists(t, bob.ID, dora); got != "60 60 60" {
		t.Errorf("lists and counts are %s", got)
	}
	fatal(t, w.Moderation.Disable(ctx, by, dora.ID))
	w.settle(t, dora)
	if got := w.lists(t, bob.ID, dora); got != "0 0 0" {
		t.Errorf("lists and counts are %s", got)
	}
	w.checkCounted(t, post, 1)
	w.checkWhole(t)
}

// If a process is killed half-way, the next one does the rest.
func TestSuspensionsAreResumed(t *testing.T) {
	w, ctx := newWorld(t), watched()
	dora, bob := w.user(t, "dora"), w.user(t, "bob")
	w.post(t, dora, Public)
	_, _, err := w.Users.setDisabled(ctx, dora.ID, true)
	fatal(t, err)
	fatal(t, w.Moderation.suspensions.Insert(ctx, &Suspension{ID: bson.NewObjectID(), User: dora.ID, CreatedAt: w.now()}))
	fatal(t, w.Moderation.resume(ctx))
	w.DB.WaitRemovals()
	if got := w.lists(t, bob.ID, dora); got != "0 0 0" {
		t.Errorf("lists and counts are %s", got)
	}
	post := w.post(t, bob, Public)
	fatal(t, w.Comments.comments.Insert(ctx, &Comment{ID: bson.NewObjectID(), Owner: dora.ID, Post: post.ID, State: CommentShown, Content: "x"})) // by a request that started before
	fatal(t, w.Moderation.Settle(ctx, dora.ID))
	w.checkCounted(t, post, 0)
	_, _, err = w.Users.setDisabled(ctx, dora.ID, false)
	fatal(t, err)
	_, err = w.Moderation.suspensions.Update(ctx, store.Where("user", dora.ID), bson.D{store.Set("settled", false)})
	fatal(t, err)
	fatal(t, w.Moderation.Settle(ctx, dora.ID))
	if got := w.lists(t, bob.ID, dora); got != "1 1 1" {
		t.Errorf("lists and counts are %s", got)
	}
	fatal(t, w.Users.Delete(ctx, dora.ID))
	w.DB.WaitRemovals()
	fatal(t, w.Moderation.Settle(ctx, dora.ID)) // of nobody
	w.checkWhole(t)
}

func TestWhoMayDisableWhom(t *testing.T) {
	w, ctx := newWorld(t), watched()
	ada, byAda := w.admin(t, "ada")
	bob := w.user(t, "bob")
	wantCode(t, w.Moderation.Disable(ctx, byAda, ada.ID), apperr.Conflict, "")
	wantCode(t, w.Moderation.Disable(ctx, Moderator{}, ada.ID), apperr.Conflict, "")
	wantCode(t, w.Moderation.Disable(ctx, Moderator{ID: bob.ID}, ada.ID), apperr.Forbidden, "")
	wantCode(t, w.Moderation.Disable(ctx, byAda, bson.NewObjectID()), apperr.NotFound, "")
	wantCode(t, w.Moderation.Enable(ctx, byAda, bson.NewObjectID()), apperr.NotFound, "")
	fatal(t, w.Moderation.Disable(ctx, Moderator{}, bob.ID)) // not an administrator

	eve, byEve := w.admin(t, "eve")
	var all sync.WaitGroup
	done := make([]error, 2)
	for i, do := range []func() error{
		func() error { return w.Moderation.Disable(ctx, byAda, eve.ID) },
		func() error { return w.Moderation.Disable(ctx, byEve, ada.ID) },
	} {
		all.Go(func() { done[i] = do() })
	}
	all.Wait()
	if w.DB.Transactions() && (done[0] == nil) == (done[1] == nil) {
		t.Errorf("of two who disable each other, one does: %v, %v", done[0], done[1])
	}
}

func TestHiddenPosts(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob, dora := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "dora")
	public, draft, ofDora := w.post(t, alice, Public), w.post(t, alice, Draft), w.post(t, dora, Public)
	sees := func(who *User, p *Post, want bool) {
		t.Helper()
		if _, err := w.Posts.Visible(ctx, who.ID, p.ID); (err == nil) != want {
			t.Errorf("%s: %v", who.Username, err)
		}
	}
	hide := func(p *Post, want bool) {
		t.Helper()
		if _, changed, err := w.Posts.hide(ctx, p.ID); err != nil || changed != want {
			t.Errorf("hiding: %v, %v", changed, err)
		}
	}
	restore := func(p *Post, to Visibility, want bool) {
		t.Helper()
		got, changed, err := w.Posts.restore(ctx, p.ID)
		if err != nil || changed != want || got.Visibility != to || got.HiddenFrom != "" {
			t.Errorf("restoring: %v, %v, %+v", changed, err, got)
		}
	}
	for _, p := range []*Post{public, draft} {
		hide(p, true)
		hide(p, false)
		sees(alice, p, true)
		sees(bob, p, false)
		for _, v := range []Visibility{Public, Draft, Hidden} {
			_, err := w.Posts.Update(ctx, alice.ID, p.ID, PostChanges{Visibility: &v})
			wantCode(t, err, apperr.Forbidden, "")
		}
		words := "other words"
		changed, err := w.Posts.Update(ctx, alice.ID, p.ID, PostChanges{Description: &words})
		if err != nil || changed.Visibility != Hidden || changed.Description != words {
			t.Errorf("edited: %+v, %v", changed, err)
		}
	}
	if got := w.lists(t, alice.ID, alice); got != "0 0 0" {
		t.Errorf("lists and counts are %s", got)
	}
	drafts, err := w.Posts.Page(ctx, alice.ID, PostQuery{Owner: alice.ID, Drafts: true}, store.Paging{Limit: 1})
	fatal(t, err)
	if len(drafts.Items) != 1 || drafts.Next == "" {
		t.Errorf("her drafts are %+v", drafts)
	}
	restore(draft, Draft, true)
	restore(public, Public, true)
	restore(public, Public, false)
	if got := w.lists(t, bob.ID, alice); got != "1 1 1" {
		t.Errorf("lists and counts are %s", got)
	}

	// An account that is disabled and enabled in the meantime.
	w.disable(t, dora)
	hide(ofDora, true)
	restore(ofDora, Suspended, true)
	sees(bob, ofDora, false)
	hide(ofDora, true)
	fatal(t, w.Moderation.Enable(ctx, Moderator{}, dora.ID))
	w.settle(t, dora)
	sees(bob, ofDora, false)
	restore(ofDora, Public, true)
	sees(bob, ofDora, true)

	for _, v := range []Visibility{Hidden, Suspended} {
		wantCode(t, w.Posts.Create(ctx, &Post{Owner: alice.ID, Kind: Text, Description: "x", Visibility: v}), apperr.Invalid, "visibility")
		_, err := w.Posts.Update(ctx, alice.ID, public.ID, PostChanges{Visibility: &v})
		wantCode(t, err, apperr.Invalid, "visibility")
	}
	_, _, err = w.Posts.hide(ctx, bson.NewObjectID())
	wantCode(t, err, apperr.NotFound, "")
	_, _, err = w.Posts.restore(ctx, bson.NewObjectID())
	wantCode(t, err, apperr.NotFound, "")
	w.checkWhole(t)
}

func TestHiddenComments(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	post := w.post(t, alice, Public)
	answered, alone := w.comment(t, bob, post, nil), w.comment(t, bob, post, nil)
	reply := w.comment(t, carol, post, answered)
	list := func(who *User, want ...bson.ObjectID) []*Comment {
		t.Helper()
		got := w.listed(t, who.ID, post)
		if fmt.Sprint(commentIDs(got)) != fmt.Sprint(want) {
			t.Errorf("%s sees %v, want %v", who.Username, commentIDs(got), want)
		}
		return got
	}
	hide := func(c *Comment, want bool) {
		t.Helper()
		if _, changed, err := w.Comments.hide(ctx, c.ID); err != nil || changed != want {
			t.Errorf("hiding: %v, %v", changed, err)
		}
	}
	for _, c := range []*Comment{answered, alone} {
		hide(c, true)
		hide(c, false)
		_, err := w.Comments.Visible(ctx, alice.ID, c.ID)
		wantCode(t, err, apperr.NotFound, "")
		mine, err := w.Comments.Visible(ctx, bob.ID, c.ID)
		if err != nil || mine.State != CommentHidden {
			t.Errorf("its author sees %+v, %v", mine, err)
		}
		wantCode(t, w.Comments.Create(ctx, &Comment{Owner: bob.ID, Post: post.ID, Parent: c.ID, Content: "x"}), apperr.NotFound, "")
	}
	w.checkCounted(t, post, 1)
	list(bob, alone.ID, answered.ID, reply.ID)
	if seen := list(carol, answered.ID, reply.ID); seen[0].Content != "" || !seen[0].Owner.IsZero() || seen[0].State != CommentDeleted {
		t.Errorf("others see %+v", seen[0])
	}
	edited, err := w.Comments.Update(ctx, bob.ID, alone.ID, "other words")
	if err != nil || edited.State != CommentHidden || edited.Content != "other words" {
		t.Errorf("edited: %+v, %v", edited, err)
	}
	hide(reply, true)
	w.checkCounted(t, post, 0)
	list(carol)
	for _, c := range []*Comment{reply, answered} {
		if _, changed, err := w.Comments.restore(ctx, c.ID); err != nil || !changed {
			t.Errorf("restoring: %v, %v", changed, err)
		}
	}
	w.checkCounted(t, post, 2)

	// Comments that aren't counted keep their placeholder.
	hide(reply, true)
	_, err = w.Comments.Delete(ctx, bob.ID, answered.ID)
	fatal(t, err)
	w.DB.WaitRemovals()
	list(carol)
	_, _, err = w.Comments.hide(ctx, answered.ID)
	wantCode(t, err, apperr.NotFound, "")
	_, _, err = w.Comments.restore(ctx, answered.ID)
	wantCode(t, err, apperr.NotFound, "")
	if back, changed, err := w.Comments.restore(ctx, reply.ID); err != nil || !changed || back.Parent != answered.ID {
		t.Errorf("restoring: %v, %v", changed, err)
	}
	list(carol, answered.ID, reply.ID)
	w.disable(t, carol)
	list(alice)
	hide(reply, true)
	if back, _, err := w.Comments.restore(ctx, reply.ID); err != nil || back.State != CommentSuspended {
		t.Errorf("restored while its author is disabled: %+v, %v", back, err)
	}
	fatal(t, w.Moderation.Enable(ctx, Moderator{}, carol.ID))
	w.settle(t, carol)
	list(alice, answered.ID, reply.ID)
	hide(reply, true)
	_, err = w.Comments.Delete(ctx, carol.ID, reply.ID) // the last one, and the placeholder with it
	fatal(t, err)
	w.DB.WaitRemovals()
	if n := len(w.documents(t)["comments"]); n != 1 {
		t.Errorf("%d comments are kept, want the one that is hidden", n)
	}
	w.checkWhole(t)
}

func TestReports(t *testing.T) {
	w, ctx := newWorld(t), watched()
	ada, by := w.admin(t, "ada")
	alice, bob, carol := w.user(t, "alice"), w.user(t, "bob"), w.user(t, "carol")
	post, draft := w.post(t, alice, Public), w.post(t, alice, Draft)
	comment := w.comment(t, alice, post, nil)
	report := func(who *User, kind Reportable, id bson.ObjectID) error {
		return w.Reports.Create(ctx, who.ID, kind, id, "spam", " buy!\r\nnow ")
	}
	for _, c := range []struct {
		kind Reportable
		id   bson.ObjectID
	}{{ReportedPost, post.ID}, {ReportedComment, comment.ID}, {ReportedChannel, alice.ID}} {
		fatal(t, report(bob, c.kind, c.id))
		wantCode(t, report(bob, c.kind, c.id), apperr.Conflict, "")
		wantCode(t, report(alice, c.kind, c.id), apperr.Conflict, "")
		wantCode(t, report(bob, c.kind, bson.NewObjectID()), apperr.NotFound, "")
		w.advance(time.Second)
	}
	fatal(t, report(carol, ReportedPost, post.ID))
	wantCode(t, report(bob, ReportedPost, draft.ID), apperr.NotFound, "")
	wantCode(t, w.Reports.Create(ctx, bob.ID, ReportedPost, post.ID, "because", ""), apperr.Invalid, "reason")
	wantCode(t, w.Reports.Create(ctx, bob.ID, ReportedPost, post.ID, "", ""), apperr.Invalid, "reason")
	wantCode(t, w.Reports.Create(ctx, bob.ID, ReportedPost, post.ID, "spam", string(make([]byte, 501))), apperr.Invalid, "text")

	open, err := w.Reports.Cases(ctx, true, store.Paging{})
	fatal(t, err)
	if len(open.Items) != 3 || open.Items[0].Target != post.ID || open.Items[0].ReportsCount != 2 || open.Items[0].Text != "hello" || open.Items[0].OwnerName != "alice" {
		t.Fatalf("the queue is %+v", open.Items)
	}
	ofPost, ofChannel, ofComment := open.Items[0], open.Items[1], open.Items[2]
	reports, err := w.Reports.Page(ctx, ofPost.ID, store.Paging{})
	fatal(t, err)
	if len(reports.Items) != 2 || reports.Items[1].Text != "buy!\nnow" || reports.Items[1].Reason != "spam" {
		t.Errorf("the reports are %+v", reports.Items)
	}

	if c, err := w.Reports.Case(ctx, ofPost.ID); err != nil || c.Target != post.ID {
		t.Errorf("the case is %+v, %v", c, err)
	}
	decide := func(c *Case, act Act) *Case {
		t.Helper()
		got, err := w.Reports.Decide(ctx, by, c.ID, act)
		fatal(t, err)
		return got
	}
	for range 2 {
		if c := decide(ofPost, Hide); c.Open || c.Outcome != Hide || c.By != "ada" || c.DecidedAt == nil {
			t.Errorf("decided: %+v", c)
		}
	}
	_, err = w.Posts.Visible(ctx, bob.ID, post.ID)
	wantCode(t, err, apperr.NotFound, "")
	_, err = w.Reports.Decide(ctx, by, ofPost.ID, Dismiss)
	wantCode(t, err, apperr.Conflict, "")
	if s, err := w.Reports.State(ctx, ofPost); err != nil || s != (CaseState{Hidden: true}) {
		t.Errorf("the post: %+v, %v", s, err)
	}
	decide(ofPost, Restore)
	fatal(t, report(bob, ReportedPost, post.ID)) // opens a new case
	_, err = w.Reports.Decide(ctx, by, ofChannel.ID, Hide)
	wantCode(t, err, apperr.Invalid, "action")
	_, err = w.Reports.Decide(ctx, by, ofChannel.ID, "nonsense")
	wantCode(t, err, apperr.Invalid, "action")
	_, err = w.Reports.Decide(ctx, by, bson.NewObjectID(), Dismiss)
	wantCode(t, err, apperr.NotFound, "")
	_, err = w.Reports.Decide(ctx, Moderator{ID: bob.ID}, ofChannel.ID, Dismiss)
	wantCode(t, err, apperr.Forbidden, "")
	decide(ofComment, Hide)
	decide(ofComment, Restore)
	decide(ofChannel, DisableOwner)
	w.settle(t, alice)
	if s, err := w.Reports.State(ctx, ofComment); err != nil || s != (CaseState{Disabled: true}) {
		t.Errorf("the comment: %+v, %v", s, err)
	}
	wantCode(t, report(carol, ReportedChannel, alice.ID), apperr.NotFound, "")
	decide(ofChannel, EnableOwner)

	// Everything is an event: in her log, without who it was, and in the administrator's.
	of := func(u *User) (types string) {
		page, err := w.Events.Page(ctx, u.ID, store.Paging{})
		fatal(t, err)
		for _, e := range page.Items {
			types += string(e.Type) + " "
			if (u == alice) == (e.IP != "") || e.By != ada.ID || e.About == "" {
				t.Errorf("the event is %+v", e)
			}
		}
		return types
	}
	if hers, his := of(alice), of(ada); hers != "enabled disabled restored hidden restored hidden " || hers != his {
		t.Errorf("the events are %q and %q", hers, his)
	}

	// A report outlives what it is about.
	fatal(t, w.Users.Delete(ctx, alice.ID))
	w.DB.WaitRemovals()
	open, err = w.Reports.Cases(ctx, true, store.Paging{})
	fatal(t, err)
	if len(open.Items) != 1 || open.Items[0].Text != "hello" || open.Items[0].Username != "alice" || open.Items[0].ReportsCount != 1 {
		t.Fatalf("the queue is %+v", open.Items)
	}
	if s, err := w.Reports.State(ctx, open.Items[0]); err != nil || s != (CaseState{Gone: true}) {
		t.Errorf("the post: %+v, %v", s, err)
	}
	for _, act := range []Act{Hide, Restore, DisableOwner, EnableOwner} {
		_, err = w.Reports.Decide(ctx, by, open.Items[0].ID, act)
		wantCode(t, err, apperr.Conflict, "")
	}
	decide(open.Items[0], Dismiss)
	fatal(t, w.Users.Delete(ctx, bob.ID))
	w.checkWhole(t)
}

// Of concurrent reports by one user, one counts; those of several users are in one case; none is lost while a case is
// being closed.
func TestReportsAtOnce(t *testing.T) {
	w, ctx := newWorld(t), context.Background()
	_, by := w.admin(t, "ada")
	alice := w.user(t, "alice")
	post := w.post(t, alice, Public)
	var all sync.WaitGroup
	for _, name := range []string{"bob", "carol", "dave"} {
		u := w.user(t, name)
		for range 4 {
			all.Go(func() {
				if err := w.Reports.Create(ctx, u.ID, ReportedPost, post.ID, "spam", ""); err != nil && !apperr.Is(err, apperr.Conflict) {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	open, err := w.Reports.Cases(ctx, true, store.Paging{})
	fatal(t, err)
	if len(open.Items) != 1 || open.Items[0].ReportsCount != 3 {
		t.Fatalf("the queue is %+v", open.Items)
	}
	for _, act := range []Act{Hide, Dismiss, Hide, Dismiss} {
		all.Go(func() {
			if _, err := w.Reports.Decide(ctx, by, open.Items[0].ID, act); err != nil && !apperr.Is(err, apperr.Conflict) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	w.checkWhole(t)
}
