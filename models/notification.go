package models

import (
	"context"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/autolink"
)

// NoticeType is what a notification is about. Users can turn off each type.
type NoticeType string

// The types of notifications.
const (
	NoticeComment    NoticeType = "comment"    // on your post
	NoticeReply      NoticeType = "reply"      // to your comment
	NoticeMention    NoticeType = "mention"    // of your name, in a comment or a post
	NoticeSubscriber NoticeType = "subscriber" // to your channel
	NoticeLike       NoticeType = "like"       // of your post or comment
)

// NoticeTypes are all of them.
func NoticeTypes() []NoticeType {
	return []NoticeType{NoticeComment, NoticeReply, NoticeMention, NoticeSubscriber, NoticeLike}
}

// Notice is one user's action that another one should know about.
type Notice struct {
	Type    NoticeType
	To      bson.ObjectID
	Post    bson.ObjectID // what it is about; zero: the channel of the user
	Comment bson.ObjectID // what it is about on the post; zero: the post itself
}

// target is the most specific thing that the notice names.
func (n Notice) target() bson.ObjectID {
	for _, id := range []bson.ObjectID{n.Comment, n.Post} {
		if !id.IsZero() {
			return id
		}
	}
	return n.To
}

// Notification is what users did in one way to one thing, for the user it concerns: one for each user, type and target.
type Notification struct {
	ID        bson.ObjectID   `bson:"_id"`
	User      bson.ObjectID   `bson:"user"`
	Type      NoticeType      `bson:"type"`
	Target    bson.ObjectID   `bson:"target"`
	Post      bson.ObjectID   `bson:"post"`
	Comment   bson.ObjectID   `bson:"comment"`
	Actors    []bson.ObjectID `bson:"actors"` // each once, the latest last, at most ActorsKept
	Read      bool            `bson:"read"`
	CreatedAt time.Time       `bson:"createdAt"`
	UpdatedAt time.Time       `bson:"updatedAt"`
	ExpiresAt time.Time       `bson:"expiresAt"`
}

const (
	// ActorsKept is how many actors a notification remembers: a count below it is exact; one that reaches it means "or
	// more".
	ActorsKept = 50
	// MaxUnread is where counting unread notifications stops.
	MaxUnread = 100

	unreadRounds      = 10 // pages of MaxUnread that a count reads, if most of them are not visible
	notificationsKept = 90 * 24 * time.Hour
	maxMentions       = 10 // in one text
)

// Notifications are what users are told about. Features announce what happened with Tell.
type Notifications struct {
	db            *store.DB
	notifications *store.Documents[Notification]
	users         *Users
	posts         *Posts
	comments      *Comments
	blocks        *Blocks
}

// NewNotifications registers the notifications.
func NewNotifications(db *store.DB, users *Users, posts *Posts, comments *Comments, blocks *Blocks) *Notifications {
	return &Notifications{db: db, users: users, posts: posts, comments: comments, blocks: blocks, notifications: store.Register[Notification](db, store.Kind{
		Name: "notifications",
		Indexes: []mongo.IndexModel{
			store.Unique("user", "type", "target"),
			store.Index("user", "-updatedAt", "-_id"),
			store.Index("user", "read", "-updatedAt", "-_id"),
			store.Index("user", "read", "post"),
			store.Index("post"), store.Index("comment"), store.Index("actors"),
			store.Expiry("expiresAt"),
		},
		Parents: []store.Parent{{Kind: "users", Field: "user"}, {Kind: "posts", Field: "post"}, {Kind: "comments", Field: "comment"}},
		Lists:   []store.List{{Kind: "users", Field: "actors"}},
		Loose:   map[string]string{"target": "is the user, the post or the comment"},
		// The actors are other people's data.
		Export: store.Export{By: "user", Order: latestFirst(), Fields: []string{"type", "post", "comment", "read", "createdAt", "updatedAt"}},
	})}
}

// Tell notifies users of what the actor did, each of them once: by the first notice whose type they haven't turned off.
// Nobody is notified of their own actions, or of those of people they have blocked. In a transaction, it is part of it.
func (m *Notifications) Tell(ctx context.Context, actor bson.ObjectID, notices ...Notice) error {
	wanted, err := m.wanted(ctx, actor, notices)
	for _, n := range wanted {
		if err := m.join(ctx, actor, n); err != nil {
			return err
		}
	}
	return err
}

// TellLater is Tell in the background, for notices to many people, so that the author doesn't wait. If the process ends
// first, the notices are lost, but not what was written.
func (m *Notifications) TellLater(actor bson.ObjectID, notices func(ctx context.Context) ([]Notice, error)) {
	m.db.Later("notifications", func(ctx context.Context) error {
		all, err := notices(ctx)
		if err != nil {
			return err
		}
		return m.Tell(ctx, actor, all...)
	})
}

func (m *Notifications) wanted(ctx context.Context, actor bson.ObjectID, notices []Notice) (wanted []Notice, err error) {
	to := make([]bson.ObjectID, 0, len(notices))
	for _, n := range notices {
		if !n.To.IsZero() && n.To != actor {
			to = append(to, n.To)
		}
	}
	users, err := m.users.CachedByIDs(ctx, to)
	if err != nil {
		return nil, err
	}
	deaf, err := m.blocks.By(ctx, to, actor)
	if err != nil {
		return nil, err
	}
	deaf[actor] = true
	for _, n := range notices {
		u := users[n.To]
		if u == nil || deaf[n.To] || !u.WantsNotification(n.Type) {
			continue
		}
		deaf[n.To] = true // has been notified
		wanted = append(wanted, n)
	}
	return wanted, nil
}

// join adds the actor to the notification and marks it unread, or creates it. If the actor is already in it, or the
// post or comment has gone, nothing changes.
func (m *Notifications) join(ctx context.Context, actor bson.ObjectID, n Notice) error {
	now, one := m.db.Now(), store.Where("user", n.To, "type", n.Type, "target", n.target())
	until := now.Add(notificationsKept)
	before, err := m.notifications.One(ctx, one)
	if apperr.Is(err, apperr.NotFound) {
		err = m.notifications.Insert(ctx, &Notification{
			ID: bson.NewObjectID(), User: n.To, Type: n.Type, Target: n.target(), Post: n.Post, Comment: n.Comment,
			Actors: []bson.ObjectID{actor}, CreatedAt: now, UpdatedAt: now, ExpiresAt: until,
		})
		if !apperr.Is(err, apperr.Conflict) { // another actor came first
			return unlessGone(err)
		}
	} else if err != nil || slices.Contains(before.Actors, actor) {
		return err
	}
	last := store.Where("$each", bson.A{actor}, "$slice", -ActorsKept)
	_, err = m.notifications.Update(ctx, append(one, store.Where("actors", store.Where("$ne", actor))...), bson.D{
		store.Set("read", false, "updatedAt", now, "expiresAt", until), {Key: "$push", Value: store.Where("actors", last)},
	})
	return unlessGone(err)
}

// unlessGone ignores the error if something no longer exists.
func unlessGone(err error) error {
	if apperr.Is(err, apperr.NotFound) {
		return nil
	}
	return err
}

// Untell withdraws what the actor did. When the last actor is gone, so is the notification.
func (m *Notifications) Untell(ctx context.Context, actor bson.ObjectID, n Notice) error {
	one := store.Where("user", n.To, "type", n.Type, "target", n.target(), "actors", actor)
	left, err := m.notifications.Update(ctx, one, bson.D{{Key: "$pull", Value: store.Where("actors", actor)}})
	if err != nil || len(left.Actors) > 0 {
		return unlessGone(err)
	}
	_, err = m.notifications.Delete(ctx, store.Where("_id", left.ID, "actors", bson.A{})) // unless somebody has joined in the meantime
	return err
}

// Told is a notification as its user sees it.
type Told struct {
	*Notification
	Actors  []*User  // latest first
	Post    *Post    // nil: it is about the user's channel
	Comment *Comment // nil: it is about the post, or the channel
}

// AndMore reports whether there may be more actors.
func (t Told) AndMore() bool { return len(t.Notification.Actors) == ActorsKept }

// visible returns the notifications that the user may see: about posts and comments that they may see, by people whose
// accounts are active and whom they haven't blocked. It makes a fixed number of queries.
func (m *Notifications) visible(ctx context.Context, user bson.ObjectID, list []*Notification) ([]Told, error) {
	var posts, comments, actors []bson.ObjectID
	for _, n := range list {
		posts, comments, actors = append(posts, n.Post), append(comments, n.Comment), append(actors, n.Actors...)
	}
	seen := sight{}
	var err error
	if seen.posts, err = m.posts.visibleByID(ctx, user, posts); err != nil {
		return nil, err
	}
	if seen.comments, err = m.comments.visibleByID(ctx, user, comments); err != nil {
		return nil, err
	}
	if seen.users, err = m.users.CachedByIDs(ctx, actors); err != nil {
		return nil, err
	}
	if seen.blocked, err = m.blocks.Of(ctx, user, actors); err != nil {
		return nil, err
	}
	told := make([]Told, 0, len(list))
	for _, n := range list {
		if t, is := seen.of(n); is {
			told = append(told, t)
		}
	}
	return told, nil
}

// sight is what a user may see of the subjects of their notifications.
type sight struct {
	posts    map[bson.ObjectID]*Post
	comments map[bson.ObjectID]*Comment
	users    map[bson.ObjectID]*User
	blocked  map[bson.ObjectID]bool
}

func (s sight) of(n *Notification) (t Told, is bool) {
	t = Told{Notification: n, Post: s.posts[n.Post], Comment: s.comments[n.Comment]}
	for _, id := range slices.Backward(n.Actors) {
		if u := s.users[id]; u != nil && u.DisabledAt == nil && !s.blocked[id] {
			t.Actors = append(t.Actors, u)
		}
	}
	return t, len(t.Actors) > 0 && (t.Post != nil || n.Post.IsZero()) && (t.Comment != nil || n.Comment.IsZero())
}

func latestFirst() store.Order { return store.Order{"-updatedAt", "-_id"} }

// Page lists a user's notifications, latest first.
func (m *Notifications) Page(ctx context.Context, user bson.ObjectID, p store.Paging) (store.Page[Told], error) {
	page, err := m.notifications.Page(ctx, store.Where("user", user), latestFirst(), p)
	if err != nil {
		return store.Page[Told]{}, err
	}
	told, err := m.visible(ctx, user, page.Items)
	return store.Page[Told]{Items: told, Next: page.Next}, err
}

// Unread counts the user's visible unread notifications, up to MaxUnread. It reads what Page lists, so the two never
// differ.
func (m *Notifications) Unread(ctx context.Context, user bson.ObjectID) (n int, err error) {
	p := store.Paging{Limit: MaxUnread}
	for range unreadRounds {
		page, err := m.notifications.Page(ctx, store.Where("user", user, "read", false), latestFirst(), p)
		if err != nil || len(page.Items) == 0 {
			return n, err
		}
		told, err := m.visible(ctx, user, page.Items)
		if n = min(n+len(told), MaxUnread); err != nil || n == MaxUnread || page.Next == "" {
			return n, err
		}
		p.After = page.Next
	}
	return n, nil
}

// Read marks a user's notification as read. It is idempotent.
func (m *Notifications) Read(ctx context.Context, user, id bson.ObjectID) error {
	_, err := m.notifications.Update(ctx, store.Where("_id", id, "user", user), bson.D{store.Set("read", true)})
	return err
}

// ReadAll marks all of a user's notifications as read.
func (m *Notifications) ReadAll(ctx context.Context, user bson.ObjectID) error {
	return m.read(ctx, store.Where("user", user, "read", false))
}

// LookedAt marks the user's notifications about a post (zero: their channel) and about these of its comments as read,
// because they are looking at them.
func (m *Notifications) LookedAt(ctx context.Context, user, post bson.ObjectID, comments ...bson.ObjectID) error {
	about := append([]bson.ObjectID{{}}, comments...)
	return m.read(ctx, store.Where("user", user, "read", false, "post", post, "comment", store.In(about)))
}

// read marks them all. Usually there are none, so there is nothing to write.
func (m *Notifications) read(ctx context.Context, unread bson.D) error {
	n, err := m.notifications.Count(ctx, unread, 1)
	if err != nil || n == 0 {
		return err
	}
	return m.notifications.UpdateAll(ctx, unread, bson.D{store.Set("read", true)})
}

// Delete removes one of a user's notifications.
func (m *Notifications) Delete(ctx context.Context, user, id bson.ObjectID) error {
	deleted, err := m.notifications.Delete(ctx, store.Where("_id", id, "user", user))
	if err == nil && !deleted {
		err = store.ErrNotFound()
	}
	return err
}

// Choose turns types of notifications on and off for a user, and returns the updated user.
func (m *Notifications) Choose(ctx context.Context, user bson.ObjectID, on map[NoticeType]bool) (u *User, err error) {
	err = m.db.Atomically(ctx, func(ctx context.Context) error {
		if u, err = m.users.ByID(ctx, user); err != nil {
			return err
		}
		off := []NoticeType{}
		for _, t := range NoticeTypes() {
			if wanted, chosen := on[t]; chosen && !wanted || !chosen && !u.WantsNotification(t) {
				off = append(off, t)
			}
		}
		u, err = m.users.users.Update(ctx, store.Where("_id", user), bson.D{store.Set("notificationsOff", off)})
		return err
	})
	return u, err
}

// TellMentioned notifies, in the background, the people whom a text mentions and the previous version didn't.
func (m *Notifications) TellMentioned(actor bson.ObjectID, n Notice, text, before string) {
	if !strings.Contains(text, "@") {
		return
	}
	m.TellLater(actor, func(ctx context.Context) ([]Notice, error) { return m.mentioned(ctx, n, text, before) })
}

func (m *Notifications) mentioned(ctx context.Context, n Notice, text, before string) ([]Notice, error) {
	had := autolink.Mentions(before, maxMentions)
	names := slices.DeleteFunc(autolink.Mentions(text, maxMentions), func(name string) bool { return slices.Contains(had, name) })
	users, err := m.users.named(ctx, names)
	notices := make([]Notice, len(users))
	for i, u := range users {
		n.Type, n.To = NoticeMention, u.ID
		notices[i] = n
	}
	return notices, err
}

// distinct returns the ids without zero ones and duplicates.
func distinct(ids []bson.ObjectID) []bson.ObjectID {
	seen := map[bson.ObjectID]bool{{}: true}
	return slices.DeleteFunc(slices.Clone(ids), func(id bson.ObjectID) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

func byID[T any](all []T, id func(T) bson.ObjectID) map[bson.ObjectID]T {
	found := make(map[bson.ObjectID]T, len(all))
	for _, one := range all {
		found[id(one)] = one
	}
	return found
}
