package e2e_test

import (
	"encoding/json"
	"fmt"
	"html"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models"
	"tokentube/models/store"
)

// checkUnavailable checks that a 503 is the site's own.
func (o *outage) checkUnavailable(answer *reply) {
	const says = "The database can't be reached right now. Try again in a moment."
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html") {
		if !strings.Contains(html.UnescapeString(answer.body), says) || !strings.Contains(answer.body, "</html>") {
			o.t.Errorf("not an error page of the site: %s", answer)
		}
		return
	}
	var envelope struct {
		StatusCode    int
		Success       bool
		Code, Message string
	}
	err := json.Unmarshal([]byte(answer.body), &envelope)
	if err != nil || envelope.Success || envelope.StatusCode != 503 || envelope.Code != "unavailable" || envelope.Message != says {
		o.t.Errorf("not the site's envelope: %s", answer)
	}
}

// repair fixes the counts that a standalone server leaves wrong if it is lost between a document and its count. With
// transactions, nothing may be wrong.
func (o *outage) repair() {
	o.t.Helper()
	transactions := o.DB.Transactions()
	done, err := o.DB.Repair(o.t.Context(), store.Repair{Settle: 120 * time.Millisecond, Say: func(format string, args ...any) {
		said := fmt.Sprintf(format, args...)
		if transactions || !strings.Contains(said, "Count is ") {
			o.t.Errorf("the outage left behind: %s", said)
		}
	}})
	check(o.t, err)
	if done.Busy > 0 || done.Lost > 0 {
		o.t.Errorf("%+v", done)
	}
	o.t.Logf("transactions: %v; repair mended %d", transactions, done.Mended)
}

// checkPosts compares the existing posts with those that were requested.
func (o *outage) checkPosts() {
	o.t.Helper()
	ctx, there := o.t.Context(), map[string]int{}
	for i := range o.users {
		user, err := o.Users.ByUsername(ctx, fmt.Sprint("user", i))
		check(o.t, err)
		total := int64(0)
		for after, more := "", true; more; more = after != "" {
			page, err := o.Posts.Page(ctx, user.ID, models.PostQuery{Owner: user.ID}, store.Paging{After: after, Limit: 50})
			check(o.t, err)
			after = page.Next
			for _, p := range page.Items {
				there[p.Description]++
				total++
			}
		}
		if total != user.PostsCount {
			o.t.Errorf("user %d has %d posts, counted as %d", i, total, user.PostsCount)
		}
	}
	acknowledged := 0
	for text, done := range o.posted {
		if done {
			acknowledged++
		}
		if n := there[text]; n > 1 || (done && n == 0) {
			o.t.Errorf("%q (acknowledged: %v) is there %d times", text, done, n)
		}
		delete(there, text)
	}
	if len(there) > 0 {
		o.t.Errorf("nobody asked for %v", there)
	}
	o.t.Logf("%d posts asked for, %d acknowledged", len(o.posted), acknowledged)
}

// checkLikes compares the likes and their counts with what was acknowledged.
func (o *outage) checkLikes() {
	o.t.Helper()
	ctx := o.t.Context()
	for tab, hex := range o.shared {
		id, err := bson.ObjectIDFromHex(hex)
		check(o.t, err)
		want := int64(0)
		for i := range o.users {
			user, err := o.Users.ByUsername(ctx, fmt.Sprint("user", i))
			check(o.t, err)
			likes, err := o.Likes.Of(ctx, user.ID, []bson.ObjectID{id})
			check(o.t, err)
			if should := o.liked[fmt.Sprint(i, "/", tab)]; likes[id] != should {
				o.t.Errorf("user %d likes post %d: %v, acknowledged as %v", i, tab, likes[id], should)
			}
			if likes[id] {
				want++
			}
		}
		post, err := o.Posts.Visible(ctx, bson.ObjectID{}, id)
		check(o.t, err)
		if post.LikesCount != want {
			o.t.Errorf("post %d has %d likes, counted as %d", tab, want, post.LikesCount)
		}
	}
}
