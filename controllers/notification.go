package controllers

import (
	"context"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// NotificationActions show users what others did.
type NotificationActions struct{ *App }

// Routes registers the feature.
func (a NotificationActions) Routes(r middlewares.Access) {
	r.Private.Both(http.MethodGet, "/notifications", a.Index)
	r.Private.Both(http.MethodPut, "/notifications/read", a.ReadAll)
	r.Private.Both(http.MethodPut, "/notifications/:id/read", a.Read)
	r.Private.Both(http.MethodDelete, "/notifications/:id", a.Delete)
	r.Private.Both(http.MethodGet, "/settings/notifications", a.Edit)
	r.Private.Both(http.MethodPatch, "/settings/notifications", a.Update)
}

const actorsNamed = 3

// notification is what some users did, the latest of them first.
type notification struct {
	ID          string           `json:"_id"`
	Type        string           `json:"type"`
	Actors      []Owner          `json:"actors"`      // the last few
	ActorsCount int              `json:"actorsCount"` // of all
	AndMore     bool             `json:"andMore"`     // there may be more than are counted
	Post        *notifiedPost    `json:"post"`
	Comment     *notifiedComment `json:"comment"`
	IsRead      bool             `json:"isRead"`
	CreatedAt   time.Time        `json:"createdAt"`
	UpdatedAt   time.Time        `json:"updatedAt"`
	Path        string           `json:"-"` // of its subject
}

type notifiedPost struct {
	ID      string `json:"_id"`
	Kind    string `json:"kind"`
	Title   string `json:"title"`
	Content string `json:"content,omitempty"` // of a text post
}

type notifiedComment struct {
	ID      string `json:"_id"`
	Content string `json:"content"`
}

// Others is how many actors there are besides the named one.
func (n notification) Others() int { return n.ActorsCount - 1 }

type notificationList struct {
	Notifications []notification `json:"notifications"`
	UnreadCount   int            `json:"unreadCount"` // up to models.MaxUnread, which means "or more"
	next
}

// Index is GET /notifications.
func (a NotificationActions) Index(c *gin.Context) error {
	p, err := paging(c)
	if err != nil {
		return err
	}
	page, err := a.Notifications.Page(c, middlewares.UserID(c), p)
	if err != nil {
		return err
	}
	list := notificationList{Notifications: make([]notification, len(page.Items)), next: nextOf(c, page.Next)}
	for i, told := range page.Items {
		list.Notifications[i] = a.notification(told)
	}
	list.UnreadCount, err = a.Notifications.Unread(c, middlewares.UserID(c))
	if err != nil {
		return err
	}
	return respond.Show(c, "notifications/index", list)
}

func (a *App) notification(t models.Told) notification {
	out := notification{
		ID: t.ID.Hex(), Type: string(t.Type), Actors: []Owner{}, ActorsCount: len(t.Actors), AndMore: t.AndMore(),
		IsRead: t.Read, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt, Path: "/subscriptions/c/" + t.User.Hex(),
	}
	for _, u := range t.Actors[:min(len(t.Actors), actorsNamed)] {
		out.Actors = append(out.Actors, a.owner(u))
	}
	if t.Post != nil {
		out.Post = &notifiedPost{ID: t.Post.ID.Hex(), Kind: string(t.Post.Kind), Title: t.Post.Title}
		if t.Post.Kind == models.Text {
			out.Post.Content = t.Post.Description
		}
		out.Path = postPaths[out.Post.Kind] + "/" + out.Post.ID
	}
	if t.Comment != nil {
		out.Comment = &notifiedComment{t.Comment.ID.Hex(), t.Comment.Content}
		out.Path = commentPath(t.Comment.Thread().Hex(), out.Comment.ID)
	}
	return out
}

// Read is PUT /notifications/:id/read.
func (a NotificationActions) Read(c *gin.Context) error {
	return a.change(c, "The notification is marked as read.", a.Notifications.Read)
}

// Delete is DELETE /notifications/:id.
func (a NotificationActions) Delete(c *gin.Context) error {
	return a.change(c, "The notification is removed.", a.Notifications.Delete)
}

// ReadAll is PUT /notifications/read.
func (a NotificationActions) ReadAll(c *gin.Context) error {
	if err := a.Notifications.ReadAll(c, middlewares.UserID(c)); err != nil {
		return err
	}
	return a.done(c, "All notifications are marked as read.")
}

func (a NotificationActions) change(c *gin.Context, message string, do func(ctx context.Context, user, id bson.ObjectID) error) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	if err := do(c, user, id); err != nil {
		return err
	}
	return a.done(c, message)
}

// done responds with how many are unread now.
func (a NotificationActions) done(c *gin.Context, message string) error {
	n, err := a.Notifications.Unread(c, middlewares.UserID(c))
	if err != nil {
		return err
	}
	return respond.Done(c, message, respond.Back(c, "/notifications"), struct {
		UnreadCount int `json:"unreadCount"`
	}{n})
}

// noteSeen marks the viewer's notifications about a post (zero: their channel) and these of its comments as read. If
// that fails, the page is shown anyway.
func (a *App) noteSeen(c *gin.Context, post bson.ObjectID, comments ...bson.ObjectID) {
	user := middlewares.UserID(c)
	if user.IsZero() || middlewares.Passive(c.Request) {
		return
	}
	if err := a.Notifications.LookedAt(c, user, post, comments...); err != nil {
		a.Log.WarnContext(c, "notifications not marked as read", "error", err)
	}
}

// notificationChoice says which types a user wants; nil leaves one as it is.
type notificationChoice struct {
	Comment    *bool `form:"comment" json:"comment"`
	Reply      *bool `form:"reply" json:"reply"`
	Mention    *bool `form:"mention" json:"mention"`
	Subscriber *bool `form:"subscriber" json:"subscriber"`
	Like       *bool `form:"like" json:"like"`
}

func (n notificationChoice) fields() map[models.NoticeType]*bool {
	return map[models.NoticeType]*bool{
		models.NoticeComment: n.Comment, models.NoticeReply: n.Reply, models.NoticeMention: n.Mention,
		models.NoticeSubscriber: n.Subscriber, models.NoticeLike: n.Like,
	}
}

// choiceOf returns for each type whether the user wants it.
func choiceOf(u *models.User) map[string]bool {
	out := map[string]bool{}
	for _, t := range models.NoticeTypes() {
		out[string(t)] = u.WantsNotification(t)
	}
	return out
}

// Edit is GET /settings/notifications.
func (a NotificationActions) Edit(c *gin.Context) error {
	return respond.Show(c, "settings/notifications", choiceOf(middlewares.Current(c).User))
}

// Update is PATCH /settings/notifications: turns types on and off.
func (a NotificationActions) Update(c *gin.Context) error {
	var in notificationChoice
	if err := input.Read(c.Request, &in, nil); err != nil {
		return err
	}
	on := map[models.NoticeType]bool{}
	for name, field := range in.fields() {
		if field != nil {
			on[name] = *field
		}
	}
	if len(on) == 0 {
		return apperr.InvalidField("comment", "Send true or false for comment, reply, mention, subscriber or like.")
	}
	user, err := a.Notifications.Choose(c, middlewares.UserID(c), on)
	if err != nil {
		return err
	}
	return respond.Done(c, "Your choice is saved.", "/settings/notifications", choiceOf(user))
}
