package models

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// CommentState says what is left of a comment. Only shown comments are counted.
type CommentState string

// The states.
const (
	CommentShown   CommentState = "shown"
	CommentDeleted CommentState = "deleted" // a placeholder, without owner and text, while it has replies
	CommentBlocked CommentState = "blocked" // never stored: what users see of a comment with replies by someone they have blocked

	CommentHidden    CommentState = "hidden"    // by a moderator: visible only to its author
	CommentSuspended CommentState = "suspended" // while its author's account is disabled: see Moderation
)

// Comment is a user's comment on a post, or a reply to one. Replies have no replies of their own.
type Comment struct {
	ID           bson.ObjectID `bson:"_id"`
	Post         bson.ObjectID `bson:"post"`
	Parent       bson.ObjectID `bson:"parent"` // the comment it replies to; zero: none
	Owner        bson.ObjectID `bson:"owner"`  // zero: the owner no longer exists
	Content      string        `bson:"content" validate:"required,max=2000,text"`
	State        CommentState  `bson:"state"`
	LikesCount   int64         `bson:"likesCount"`
	RepliesCount int64         `bson:"repliesCount"`
	EditedAt     *time.Time    `bson:"editedAt,omitempty"`
	CreatedAt    time.Time     `bson:"createdAt"`
	UpdatedAt    time.Time     `bson:"updatedAt"`
}

// Check trims the text and validates it.
func (c *Comment) Check() error {
	c.Content = normalText(c.Content)
	return validate(c)
}

// Thread is the comment that a reply belongs to, or the comment itself.
func (c *Comment) Thread() bson.ObjectID {
	if c.Parent.IsZero() {
		return c.ID
	}
	return c.Parent
}

// Comments are the comments on posts.
type Comments struct {
	db       *store.DB
	comments *store.Documents[Comment]
	posts    *Posts
	users    *Users
	blocks   *Blocks
	changed  func(c *Comment, by int64) // called for each comment that is created (1) or deleted (-1)

	notifications *Notifications // which announce comments and need to know who may see them
}

// NewComments registers the comments.
func NewComments(db *store.DB, posts *Posts, users *Users, blocks *Blocks) *Comments {
	shown := bson.E{Key: "state", Value: CommentShown}
	return &Comments{db: db, posts: posts, users: users, blocks: blocks, comments: store.Register[Comment](db, store.Kind{
		Name: "comments",
		Indexes: []mongo.IndexModel{
			store.Index("parent", "post", "-_id"), // all top-level comments have the zero id as parent
			store.Index("post", "parent", "-likesCount", "-_id"),
			store.Index("owner", "-_id"),
			store.Index("owner", "state"),
		},
		Parents: []store.Parent{
			{Kind: "posts", Field: "post", Counter: "commentsCount", If: shown, Score: trend(commentHeat)},
			{Kind: "comments", Field: "parent", Counter: "repliesCount", If: shown},
			{Kind: "users", Field: "owner"},
		},
		// The parent comment is somebody else's, and so is the post, except for its id.
		Export: store.Export{By: "owner", Fields: []string{"post", "content", "likesCount", "createdAt", "editedAt"}},
		Placeholder: &store.Placeholder{
			Mark:  bson.E{Key: "state", Value: CommentDeleted},
			Drops: []string{"owner", "content", "editedAt"},
		},
	})}
}

// visible is the one place that decides who may see a comment: it returns the comments that the viewer (zero:
// anonymous) may see, in their order. A comment is visible where its post is, unless comments are turned off there or
// its owner's account is disabled. One that a moderator hid is visible only to its owner; if it has replies, others see
// a placeholder, as if it were deleted. A placeholder reveals nothing about anybody. Viewers who have blocked the owner
// see another placeholder if there are replies, and otherwise nothing.
func (m *Comments) visible(ctx context.Context, viewer bson.ObjectID, comments []*Comment) ([]*Comment, error) {
	on, by := make([]bson.ObjectID, len(comments)), make([]bson.ObjectID, len(comments))
	for i, c := range comments {
		on[i], by[i] = c.Post, c.Owner
	}
	posts, err := m.posts.VisibleAll(ctx, viewer, slices.Compact(on))
	if err != nil {
		return nil, err
	}
	owners, err := m.users.CachedByIDs(ctx, by)
	if err != nil {
		return nil, err
	}
	blocked, err := m.blocks.Of(ctx, viewer, by)
	if err != nil {
		return nil, err
	}
	open := map[bson.ObjectID]bool{}
	for _, p := range posts {
		open[p.ID] = !p.CommentsOff
	}
	seen := make([]*Comment, 0, len(comments))
	for _, c := range comments {
		owner := owners[c.Owner]
		gone := c.State == CommentDeleted || owner == nil || owner.DisabledAt != nil || c.State == CommentHidden && c.Owner != viewer
		switch {
		case !open[c.Post], (gone || blocked[c.Owner]) && c.RepliesCount == 0:
		case gone:
			seen = append(seen, c.placeholder())
		case blocked[c.Owner]:
			seen = append(seen, c.withoutWords())
		default:
			seen = append(seen, c)
		}
	}
	return seen, nil
}

// withoutWords is the comment as users see it who have blocked its owner.
func (c *Comment) withoutWords() *Comment {
	out := c.placeholder()
	out.State, out.UpdatedAt = CommentBlocked, c.UpdatedAt
	return out
}

// placeholder is what others see of a comment that is not visible but has replies.
func (c *Comment) placeholder() *Comment {
	return &Comment{
		ID: c.ID, Post: c.Post, Parent: c.Parent, State: CommentDeleted, RepliesCount: c.RepliesCount,
		CreatedAt: c.CreatedAt, UpdatedAt: c.CreatedAt,
	}
}

// InThread loads a comment, or a placeholder, that the viewer may see. Others are not found.
func (m *Comments) InThread(ctx context.Context, viewer, id bson.ObjectID) (*Comment, error) {
	c, err := m.comments.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	seen, err := m.visible(ctx, viewer, []*Comment{c})
	if err == nil && len(seen) == 0 {
		err = store.ErrNotFound()
	}
	if err != nil {
		return nil, err
	}
	return seen[0], nil
}

// Visible loads a comment that the viewer may see, to read it, like it or reply to it.
func (m *Comments) Visible(ctx context.Context, viewer, id bson.ObjectID) (*Comment, error) {
	c, err := m.InThread(ctx, viewer, id)
	if err == nil && (c.State == CommentDeleted || c.State == CommentBlocked) {
		return nil, store.ErrNotFound()
	}
	return c, err
}

// visibleByID loads the comments that the viewer may see; some of the ids may be zero.
func (m *Comments) visibleByID(ctx context.Context, viewer bson.ObjectID, ids []bson.ObjectID) (map[bson.ObjectID]*Comment, error) {
	found, err := m.comments.ByIDs(ctx, distinct(ids))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	seen, err := m.visible(ctx, viewer, slices.Collect(maps.Values(found)))
	seen = slices.DeleteFunc(seen, func(c *Comment) bool { return c.State != CommentShown })
	return byID(seen, func(c *Comment) bson.ObjectID { return c.ID }), err
}

// likeable loads a comment that the user may see, and returns the notice for its author if they like it.
func (m *Comments) likeable(ctx context.Context, user, id bson.ObjectID) (Notice, error) {
	c, err := m.Visible(ctx, user, id)
	if err != nil {
		return Notice{}, err
	}
	return Notice{Type: NoticeLike, To: c.Owner, Post: c.Post, Comment: c.ID}, nil
}

// Own loads a comment that the user may change.
func (m *Comments) Own(ctx context.Context, user, id bson.ObjectID) (*Comment, error) {
	c, err := m.Visible(ctx, user, id)
	if err == nil && c.Owner != user {
		err = apperr.New(apperr.Forbidden, "Only its author can change this comment.")
	}
	return c, err
}

// CommentQuery selects the comments of a list.
type CommentQuery struct {
	Post   *Post         // one that the viewer may see
	Parent bson.ObjectID // the comment whose replies are listed; zero: top-level comments
	Top    bool          // by likes instead of age
	Oldest bool          // oldest first
}

// Page lists comments that the viewer may see, the latest or most liked first.
func (m *Comments) Page(ctx context.Context, viewer bson.ObjectID, q CommentQuery, p store.Paging) (store.Page[*Comment], error) {
	if q.Post.CommentsOff {
		return store.Page[*Comment]{}, nil
	}
	order := store.Order{"-_id"}
	if q.Top {
		order = store.Order{"-likesCount", "-_id"}
	}
	if q.Oldest {
		order = order.Reversed()
	}
	page, err := m.comments.Page(ctx, store.Where("post", q.Post.ID, "parent", q.Parent), order, p)
	if err != nil {
		return page, err
	}
	page.Items, err = m.visible(ctx, viewer, page.Items)
	return page, err
}

// Create adds a comment. A reply to a reply joins the thread.
func (m *Comments) Create(ctx context.Context, c *Comment) error {
	post, err := m.posts.Visible(ctx, c.Owner, c.Post)
	if err != nil {
		return err
	}
	if post.CommentsOff {
		return apperr.New(apperr.Forbidden, "Comments are turned off for this post.")
	}
	if err := c.Check(); err != nil {
		return err
	}
	to, err := m.join(ctx, c)
	if err != nil {
		return err
	}
	if err := m.blocks.Refuse(ctx, c.Owner, "You can't comment here.", append(to, post.Owner)...); err != nil {
		return err
	}
	c.ID, c.State, c.CreatedAt = bson.NewObjectID(), CommentShown, m.db.Now()
	c.UpdatedAt = c.CreatedAt
	if err := m.comments.Insert(ctx, c); err != nil {
		return err
	}
	m.changed(c, 1)
	m.notifications.TellLater(c.Owner, func(ctx context.Context) ([]Notice, error) { return m.notices(ctx, c.ID, to, post) })
	return nil
}

// notices are the notifications for a new comment: to the people it replies to (including the author of the thread), to
// those it mentions, and to the owner of the post.
func (m *Comments) notices(ctx context.Context, id bson.ObjectID, to []bson.ObjectID, post *Post) (all []Notice, err error) {
	c, err := m.comments.ByID(ctx, id)
	if err != nil {
		return nil, unlessGone(err)
	}
	if !c.Parent.IsZero() {
		thread, err := m.comments.ByID(ctx, c.Parent)
		if err != nil {
			return nil, unlessGone(err)
		}
		to = append(to, thread.Owner)
	}
	for _, author := range to {
		all = append(all, Notice{Type: NoticeReply, To: author, Post: c.Post, Comment: c.ID})
	}
	mentioned, err := m.notifications.mentioned(ctx, Notice{Post: c.Post, Comment: c.ID}, c.Content, "")
	return append(append(all, mentioned...), Notice{Type: NoticeComment, To: post.Owner, Post: c.Post, Comment: c.ID}), err
}

// join puts a reply into its thread, and returns the people it replies to: the author of the comment, if there is one.
func (m *Comments) join(ctx context.Context, c *Comment) (to []bson.ObjectID, err error) {
	if c.Parent.IsZero() {
		return nil, nil
	}
	parent, err := m.Visible(ctx, c.Owner, c.Parent)
	if err == nil && (parent.Post != c.Post || parent.State == CommentHidden) {
		err = store.ErrNotFound()
	}
	if err != nil {
		return nil, err
	}
	c.Parent = parent.Thread()
	return []bson.ObjectID{parent.Owner}, nil
}

// Update replaces the text and returns the updated comment.
func (m *Comments) Update(ctx context.Context, user, id bson.ObjectID, content string) (*Comment, error) {
	c, err := m.Own(ctx, user, id)
	if err != nil {
		return nil, err
	}
	before, now := c.Content, m.db.Now()
	c.Content = content
	if err := c.Check(); err != nil || c.Content == before {
		return c, err
	}
	if err := m.refuseChange(ctx, c); err != nil {
		return c, err
	}
	asRead := store.Where("_id", id, "owner", user, "state", c.State)
	after, err := m.comments.Update(ctx, asRead, bson.D{store.Set("content", c.Content, "editedAt", now, "updatedAt", now)})
	if err == nil && after.State == CommentShown {
		m.notifications.TellMentioned(user, Notice{Post: c.Post, Comment: id}, after.Content, before)
	}
	return after, err
}

// refuseChange keeps people from giving a comment new words where they couldn't write it any more, because they were
// blocked.
func (m *Comments) refuseChange(ctx context.Context, c *Comment) error {
	post, err := m.posts.Visible(ctx, c.Owner, c.Post)
	if err != nil {
		return err
	}
	to := []bson.ObjectID{post.Owner}
	if !c.Parent.IsZero() {
		thread, err := m.comments.ByID(ctx, c.Parent)
		if err != nil {
			return err
		}
		to = append(to, thread.Owner)
	}
	return m.blocks.Refuse(ctx, c.Owner, "You can't change this comment any more. You can delete it.", to...)
}

// Delete removes a comment, on behalf of its author or the owner of the post. While it has replies, a placeholder
// stays.
func (m *Comments) Delete(ctx context.Context, user, id bson.ObjectID) (*Comment, error) {
	c, err := m.Visible(ctx, user, id)
	if err != nil {
		return nil, err
	}
	if c.Owner != user {
		if _, err := m.posts.Own(ctx, user, c.Post); err != nil {
			return nil, err
		}
	}
	if err := m.comments.Remove(ctx, id, store.Where("owner", c.Owner)); err != nil {
		return c, err
	}
	m.changed(c, -1)
	return c, nil
}
