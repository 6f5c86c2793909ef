package models

import (
	"context"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Reportable is a kind of content that can be reported.
type Reportable string

// What can be reported.
const (
	ReportedPost    Reportable = "post"
	ReportedComment Reportable = "comment"
	ReportedChannel Reportable = "channel"
)

// Report is one user's complaint about something.
type Report struct {
	ID        bson.ObjectID `bson:"_id"`
	Case      bson.ObjectID `bson:"case"`
	Reporter  bson.ObjectID `bson:"reporter"`
	Reason    string        `bson:"reason" validate:"required,oneof=spam abuse violence sexual copyright other"`
	Text      string        `bson:"text" validate:"max=500,text"`
	CreatedAt time.Time     `bson:"createdAt"`
	ExpiresAt time.Time     `bson:"expiresAt"`
}

// Case is what was reported, with all reports about it until a moderator decides. It keeps an excerpt of the content
// and the owner's name, in case the content is deleted.
type Case struct {
	ID           bson.ObjectID `bson:"_id"`
	Kind         Reportable    `bson:"kind"`
	PostKind     Kind          `bson:"postKind,omitempty"` // of a post
	Target       bson.ObjectID `bson:"target"`
	Owner        bson.ObjectID `bson:"owner"`
	OwnerName    string        `bson:"ownerName"`
	Username     string        `bson:"username"`
	Title        string        `bson:"title"`
	Text         string        `bson:"text"`
	ReportsCount int64         `bson:"reportsCount"`
	Open         bool          `bson:"open"`
	Closing      bson.ObjectID `bson:"closing"`           // zero while it is open, so that each target has at most one open case
	Outcome      Act           `bson:"outcome,omitempty"` // the last decision
	By           string        `bson:"by,omitempty"`      // and who made it
	DecidedAt    *time.Time    `bson:"decidedAt,omitempty"`
	LastAt       time.Time     `bson:"lastAt"` // of the last report
	CreatedAt    time.Time     `bson:"createdAt"`
	ExpiresAt    time.Time     `bson:"expiresAt"`
}

const (
	casesKept      = 180 * 24 * time.Hour // from the first report on, with all of its reports
	snapshotLength = 1000                 // characters
)

// Reports are users' complaints, and the decisions on them.
type Reports struct {
	db         *store.DB
	cases      *store.Documents[Case]
	reports    *store.Documents[Report]
	users      *Users
	posts      *Posts
	comments   *Comments
	moderation *Moderation
}

// NewReports registers the cases and the reports.
func NewReports(db *store.DB, users *Users, posts *Posts, comments *Comments, moderation *Moderation) *Reports {
	return &Reports{
		db: db, users: users, posts: posts, comments: comments, moderation: moderation,
		cases: store.Register[Case](db, store.Kind{
			Name:    "cases",
			Indexes: []mongo.IndexModel{store.Unique("target", "closing"), store.Index("open", "-lastAt", "-_id"), store.Expiry("expiresAt")},
			Loose: map[string]string{
				"target": "a report stays readable when what it is about is gone", "owner": "and so it does when its owner is", "closing": "its own id",
			},
			Export: store.Export{Not: "what others reported is between them and the moderators"},
		}),
		reports: store.Register[Report](db, store.Kind{
			Name:    "reports",
			Indexes: []mongo.IndexModel{store.Unique("case", "reporter"), store.Index("case", "-_id"), store.Index("reporter", "-_id"), store.Expiry("expiresAt")},
			Parents: []store.Parent{{Kind: "cases", Field: "case", Counter: "reportsCount"}, {Kind: "users", Field: "reporter"}},
			Export:  store.Export{By: "reporter", Fields: []string{"reason", "text", "createdAt"}},
		}),
	}
}

// Look returns what can be reported, in the form that a case stores, if the user can see it and doesn't own it.
func (m *Reports) Look(ctx context.Context, user bson.ObjectID, kind Reportable, id bson.ObjectID) (*Case, error) {
	c := &Case{Kind: kind, Target: id}
	switch kind {
	case ReportedPost:
		p, err := m.posts.Visible(ctx, user, id)
		if err != nil {
			return nil, err
		}
		c.Owner, c.PostKind, c.Title, c.Text = p.Owner, p.Kind, p.Title, p.Description
	case ReportedComment:
		comment, err := m.comments.Visible(ctx, user, id)
		if err != nil {
			return nil, err
		}
		c.Owner, c.Text = comment.Owner, comment.Content
	case ReportedChannel:
		c.Owner = id
	}
	owner, err := m.users.Channel(ctx, c.Owner)
	if err != nil {
		return nil, err
	}
	if c.Owner == user {
		return nil, apperr.New(apperr.Conflict, "You can't report yourself.")
	}
	if kind == ReportedChannel {
		c.Text = owner.Bio
	}
	c.OwnerName, c.Username, c.Text = owner.FullName, owner.Username, clip(c.Text, snapshotLength)
	return c, nil
}

// clip leaves the first characters of a text.
func clip(text string, length int) string {
	n := 0
	for i := range text {
		if n == length {
			return strings.TrimSpace(text[:i]) + "…"
		}
		n++
	}
	return text
}

// Create reports something that the user can see. While they have an open report about it, another one is a conflict.
func (m *Reports) Create(ctx context.Context, user bson.ObjectID, kind Reportable, id bson.ObjectID, reason, text string) error {
	c, err := m.Look(ctx, user, kind, id)
	if err != nil {
		return err
	}
	r := &Report{ID: bson.NewObjectID(), Reporter: user, Reason: reason, Text: normalText(text)}
	if err := validate(r); err != nil {
		return err
	}
	for range 3 { // of two concurrent first ones, one comes second
		err = m.db.Atomically(ctx, func(ctx context.Context) error { return m.create(ctx, *c, r) })
		if !apperr.Is(err, apperr.Conflict) {
			return err
		}
		again, failed := m.reported(ctx, user, id)
		if failed != nil {
			return failed
		}
		if again {
			return apperr.New(apperr.Conflict, "You have already reported this. A moderator will look at it.").Because(err)
		}
	}
	return err
}

// reported reports whether the user has an open report about the target.
func (m *Reports) reported(ctx context.Context, user, target bson.ObjectID) (bool, error) {
	c, err := m.cases.One(ctx, store.Where("target", target, "closing", bson.ObjectID{}))
	if apperr.Is(err, apperr.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	n, err := m.reports.Count(ctx, store.Where("case", c.ID, "reporter", user), 1)
	return n > 0, err
}

// create adds a report to the open case of its target, or to a new one. It writes the case too, so that the case can't
// be closed at the same moment without this report.
func (m *Reports) create(ctx context.Context, c Case, r *Report) error {
	now := m.db.Now()
	open, err := m.cases.Update(ctx, store.Where("target", c.Target, "closing", bson.ObjectID{}), bson.D{store.Set("lastAt", now)})
	if apperr.Is(err, apperr.NotFound) {
		open, err = &c, nil
		c.ID, c.Open, c.LastAt, c.CreatedAt, c.ExpiresAt = bson.NewObjectID(), true, now, now, now.Add(casesKept)
		err = m.cases.Insert(ctx, &c)
	}
	if err != nil {
		return err
	}
	r.Case, r.CreatedAt, r.ExpiresAt = open.ID, now, open.ExpiresAt
	return m.reports.Insert(ctx, r)
}

// Cases lists the open cases, or the decided ones, latest report first.
func (m *Reports) Cases(ctx context.Context, open bool, p store.Paging) (store.Page[*Case], error) {
	return m.cases.Page(ctx, store.Where("open", open), store.Order{"-lastAt", "-_id"}, p)
}

// Case loads one case.
func (m *Reports) Case(ctx context.Context, id bson.ObjectID) (*Case, error) {
	return m.cases.ByID(ctx, id)
}

// Page lists the reports of a case, latest first.
func (m *Reports) Page(ctx context.Context, id bson.ObjectID, p store.Paging) (store.Page[*Report], error) {
	return m.reports.Page(ctx, store.Where("case", id), store.Order{"-_id"}, p)
}

// Act is a moderator's decision on a case.
type Act string

// The acts. The first three close an open case.
const (
	Dismiss      Act = "dismiss"
	Hide         Act = "hide"
	DisableOwner Act = "disable"
	Restore      Act = "restore"
	EnableOwner  Act = "enable"
)

// Decide carries out a decision. It is idempotent.
func (m *Reports) Decide(ctx context.Context, by Moderator, id bson.ObjectID, act Act) (c *Case, err error) {
	err = m.moderation.act(ctx, by, func(ctx context.Context, admin *User) error {
		if c, err = m.cases.ByID(ctx, id); err != nil {
			return err
		}
		changed, err := m.apply(ctx, by, c, act)
		if err != nil {
			return err
		}
		closes := c.Open && (act == Dismiss || act == Hide || act == DisableOwner)
		if !changed && !closes {
			return nil
		}
		set := store.Where("outcome", act, "by", admin.Username, "decidedAt", m.db.Now())
		if closes {
			set = append(set, store.Where("open", false, "closing", c.ID)...)
		}
		c, err = m.cases.Update(ctx, store.Where("_id", id, "closing", c.Closing), bson.D{{Key: "$set", Value: set}})
		if apperr.Is(err, apperr.NotFound) { // without transactions, another moderator may have been first
			err = errDealtWith().Because(err)
		}
		return err
	})
	return c, err
}

func errDealtWith() *apperr.Error {
	return apperr.New(apperr.Conflict, "This report has been dealt with already.")
}

// apply carries it out on what was reported, or its owner, and reports whether that changed anything.
func (m *Reports) apply(ctx context.Context, by Moderator, c *Case, act Act) (changed bool, err error) {
	switch act {
	case Dismiss:
		if !c.Open {
			return false, errDealtWith()
		}
		return true, m.moderation.events.moderated(ctx, EventDismissed, by, bson.ObjectID{}, c.about())
	case DisableOwner, EnableOwner:
		changed, err = m.moderation.setDisabled(ctx, by, c.Owner, act == DisableOwner)
	case Hide, Restore:
		changed, err = m.setHidden(ctx, by, c, act == Hide)
	default:
		return false, apperr.InvalidField("action", "One of: dismiss, hide, restore, disable, enable.")
	}
	if apperr.Is(err, apperr.NotFound) {
		err = apperr.New(apperr.Conflict, "This has been deleted in the meantime. You can dismiss the report.").Because(err)
	}
	return changed, err
}

func (m *Reports) setHidden(ctx context.Context, by Moderator, c *Case, hidden bool) (changed bool, err error) {
	event := map[bool]EventType{true: EventHidden, false: EventRestored}[hidden]
	switch {
	case c.Kind == ReportedPost && hidden:
		_, changed, err = m.posts.hide(ctx, c.Target)
	case c.Kind == ReportedPost:
		_, changed, err = m.posts.restore(ctx, c.Target)
	case c.Kind == ReportedComment && hidden:
		_, changed, err = m.comments.hide(ctx, c.Target)
	case c.Kind == ReportedComment:
		_, changed, err = m.comments.restore(ctx, c.Target)
	default:
		return false, apperr.InvalidField("action", "A channel can't be hidden. Disable its account instead.")
	}
	if err != nil || !changed {
		return false, err
	}
	return true, m.moderation.events.moderated(ctx, event, by, c.Owner, c.about())
}

// about names what was reported, in a few words.
func (c *Case) about() string {
	if c.Kind == ReportedChannel {
		return "the account @" + c.Username
	}
	words := c.Title
	if words == "" {
		words = c.Text
	}
	return "the " + string(c.Kind) + " “" + clip(strings.Join(strings.Fields(words), " "), 80) + "” by @" + c.Username
}

// State returns the current state of what was reported.
func (m *Reports) State(ctx context.Context, c *Case) (s CaseState, err error) {
	owner, err := m.users.ByID(ctx, c.Owner)
	if err == nil {
		s.Disabled = owner.DisabledAt != nil
		switch c.Kind {
		case ReportedPost:
			var p *Post
			if p, err = m.posts.posts.ByID(ctx, c.Target); err == nil {
				s.Hidden = p.Visibility == Hidden
			}
		case ReportedComment:
			var comment *Comment
			if comment, err = m.comments.comments.ByID(ctx, c.Target); err == nil {
				s.Hidden, s.Gone = comment.State == CommentHidden, comment.State == CommentDeleted
			}
		}
	}
	if apperr.Is(err, apperr.NotFound) {
		s.Gone, err = true, nil
	}
	return s, err
}

// CaseState is the current state of what was reported.
type CaseState struct {
	Hidden   bool // by a moderator
	Disabled bool // its owner's account
	Gone     bool // deleted, or its owner's account was
}
