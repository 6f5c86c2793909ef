package sample

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// event is something that happens at a given time before the end, unless it has already happened.
type event struct {
	ago time.Duration
	do  func(ctx context.Context) error
}

// charted is the shortest period that a chart covers: its last day is today, which may have just begun.
const charted = (models.ChartDays - 1) * 24 * time.Hour

// slot is the resolution of the times at which posts are viewed.
const slot = 6 * time.Hour

// live makes all missing events happen, one after another, each at its time.
func (r *run) live(ctx context.Context) error {
	events := r.events()
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(b.ago, a.ago) })
	for _, e := range events {
		r.clock.set(r.end.Add(-e.ago))
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.do(ctx); err != nil {
			return err
		}
		r.site.DB.WaitRemovals() // what it causes in the background happens at the same time
	}
	return nil
}

// events are all events, the same each time.
func (r *run) events() (all []event) {
	random := rand.New(rand.NewPCG(8, 40))
	within := func(d time.Duration) time.Duration { // more at the beginning
		x := random.Float64()
		return time.Duration(x * x * float64(d))
	}
	for i, c := range channels {
		joined := age - time.Duration(i)*apart
		all = append(all, event{joined, func(ctx context.Context) error { return r.join(ctx, i) }})
		for j, other := range channels {
			if i != j && random.IntN(5) < 3 {
				ago := time.Duration((0.02 + 0.96*random.Float64()) * float64(charted))
				all = append(all, event{ago, func(ctx context.Context) error { return r.follow(ctx, c.username, other.username) }})
			}
		}
	}
	looks := map[time.Duration]map[int][]int{} // by time and post, their numbers
	for i, e := range allPosts() {
		old := time.Duration(e.hours) * time.Hour
		all = append(all, event{old, func(ctx context.Context) error { return r.publish(ctx, i, e) }})
		for n, ago := range times(e.views, func() time.Duration { return (old - within(old-time.Minute)).Truncate(slot) }) {
			if looks[ago] == nil {
				looks[ago] = map[int][]int{}
			}
			looks[ago][i] = append(looks[ago][i], n)
		}
		for _, c := range channels {
			if c.username != e.by && random.IntN(100) < 25+e.views {
				ago := old - time.Minute - within(old-time.Minute)
				all = append(all, event{ago, func(ctx context.Context) error { return r.like(ctx, c.username, i) }})
			}
		}
		all = append(all, r.talk(i, e, random)...)
	}
	for ago, some := range looks {
		all = append(all, event{ago, func(ctx context.Context) error { return r.look(ctx, some) }})
	}
	return append(all, r.keeps()...)
}

// times are n times, earliest first.
func times(n int, next func() time.Duration) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = next()
	}
	slices.SortFunc(all, func(a, b time.Duration) int { return cmp.Compare(b, a) })
	return all
}

// talk are the comments on a post within two days, in this order, and the likes they get.
func (r *run) talk(i int, e entry, random *rand.Rand) (all []event) {
	old := time.Duration(e.hours) * time.Hour
	total, n := 0, 0
	for _, c := range e.talk {
		total += 1 + len(c.replies)
	}
	next := func() time.Duration {
		n++
		return old - min(old, 48*time.Hour)*time.Duration(n)/time.Duration(total+1)
	}
	add := func(parent *remark, c remark) {
		ago := next()
		all = append(all, event{ago, func(ctx context.Context) error { return r.say(ctx, i, parent, c) }})
		for _, other := range channels {
			if other.username != c.by && random.IntN(4) == 0 {
				all = append(all, event{ago / 2, func(ctx context.Context) error { return r.likeRemark(ctx, other.username, i, c) }})
			}
		}
	}
	for _, c := range e.talk {
		add(nil, c)
		for _, reply := range c.replies {
			add(&c, reply)
		}
	}
	return all
}

// keeps are the playlists and the history, created in the last hours.
func (r *run) keeps() (all []event) {
	for i, l := range playlists {
		all = append(all, event{time.Duration(3+i) * time.Hour / 2, func(ctx context.Context) error { return r.list(ctx, l) }})
	}
	user := func() bson.ObjectID { return r.users[channels[0].username].ID }
	return append(all,
		event{time.Hour, func(ctx context.Context) error {
			return r.each(later, func(p *models.Post) error { return r.site.Playlists.AddLater(ctx, user(), p.ID) })
		}},
		event{time.Hour / 2, func(ctx context.Context) error {
			return r.each(watched, func(p *models.Post) error { return r.watch(ctx, user(), p) })
		}},
	)
}

// watch adds a post to a user's history, unless it is already there.
func (r *run) watch(ctx context.Context, user bson.ObjectID, p *models.Post) error {
	seen, err := r.site.History.Positions(ctx, user, []bson.ObjectID{p.ID})
	if _, is := seen[p.ID]; is || err != nil {
		return err
	}
	if p.Kind != models.Video {
		return r.site.History.Add(ctx, user, p.ID)
	}
	_, err = r.site.History.SetPosition(ctx, user, p.ID, p.Duration/2)
	return err
}

// each visits the posts with these titles, one minute apart.
func (r *run) each(titles []string, visit func(*models.Post) error) error {
	for _, title := range titles {
		r.clock.set(r.clock.now().Add(time.Minute))
		at := slices.IndexFunc(r.posts, func(p *models.Post) bool { return p.Title == title })
		if err := unlessRefused(visit(r.posts[at])); err != nil {
			return err
		}
	}
	return nil
}

// unlessRefused returns the error, unless it is because somebody changed the sample content in the meantime, for
// example hid or unpublished a post, or blocked a channel.
func unlessRefused(err error) error {
	for _, code := range []apperr.Code{apperr.NotFound, apperr.Forbidden, apperr.Conflict} {
		if apperr.Is(err, code) {
			return nil
		}
	}
	return err
}

// nobodysPassword is a hash that no password matches.
const nobodysPassword = "*"

func (r *run) join(ctx context.Context, i int) error {
	c := channels[i]
	if r.users[c.username] != nil {
		return nil
	}
	u := &models.User{
		Username: c.username, Email: address(c.username), FullName: c.name, Bio: c.bio, PasswordHash: nobodysPassword,
		Avatar: r.pictures[i].avatar, CoverImage: r.pictures[i].cover,
	}
	// One write, but in a unit: it needs the turn, and its outcome is less often unknown.
	err := r.site.DB.Atomically(ctx, func(ctx context.Context) error { return r.site.Users.Create(ctx, u) })
	if err == nil || store.InDoubt(err) {
		r.pictures[i] = pictures{} // they belong to the channel
	}
	if err != nil {
		return err
	}
	r.users[c.username] = u
	r.channels++
	return nil
}

func (r *run) follow(ctx context.Context, by, channel string) error {
	return unlessRefused(r.site.Subscriptions.Add(ctx, r.users[by].ID, r.users[channel].ID))
}

func (r *run) publish(ctx context.Context, i int, e entry) error {
	if r.posts[i] != nil {
		return nil
	}
	s := r.media[i]
	p := &models.Post{
		Owner: r.users[e.by].ID, Kind: e.kind, Title: e.title, Description: e.text, Alt: e.alt, Tags: models.ParseTags(e.tags),
		Media: s.media, Preview: s.preview, Thumbnail: s.thumbnail, Width: s.width, Height: s.height, Duration: s.duration,
		Size: s.size, PreviewSize: s.previewSize, ThumbnailSize: s.thumbnailSize,
	}
	err := r.site.Posts.Create(ctx, p)
	if err == nil || store.InDoubt(err) {
		r.media[i] = stored{} // it belongs to the post
	}
	if err != nil {
		return err
	}
	r.posts[i] = p
	r.added++
	return nil
}

// look counts views of posts, which are numbered: all in one transaction, because there are many. Those counted by an
// earlier attempt are left out.
func (r *run) look(ctx context.Context, looks map[int][]int) error {
	return r.site.DB.Atomically(ctx, func(ctx context.Context) error {
		for i, numbers := range looks {
			p := r.posts[i]
			for _, n := range numbers {
				if int64(n) < p.Views {
					continue
				}
				if _, err := r.site.Views.Add(ctx, p.ID, fmt.Sprint("sample viewer ", n)); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (r *run) like(ctx context.Context, by string, i int) error {
	return unlessRefused(r.site.Likes.Add(ctx, r.users[by].ID, r.posts[i].ID))
}

func (r *run) say(ctx context.Context, i int, parent *remark, c remark) error {
	is := said{i, c.by, c.text}
	if r.remarks[is] != nil {
		return nil
	}
	comment := &models.Comment{Owner: r.users[c.by].ID, Post: r.posts[i].ID, Content: c.text}
	if parent != nil {
		thread := r.remarks[said{i, parent.by, parent.text}]
		if thread == nil { // refused
			return nil
		}
		comment.Parent = thread.ID
	}
	err := r.site.Comments.Create(ctx, comment)
	if err == nil {
		r.remarks[is] = comment
	}
	return unlessRefused(err)
}

func (r *run) likeRemark(ctx context.Context, by string, i int, c remark) error {
	comment := r.remarks[said{i, c.by, c.text}]
	if comment == nil { // refused
		return nil
	}
	return unlessRefused(r.site.CommentLikes.Add(ctx, r.users[by].ID, comment.ID))
}

func (r *run) list(ctx context.Context, l playlist) error {
	owner := r.users[l.by].ID
	id, err := r.playlist(ctx, owner, l)
	if err != nil {
		return err
	}
	return r.each(l.titles, func(p *models.Post) error {
		return r.site.Playlists.Add(ctx, owner, id, p.ID)
	})
}

// playlist finds a playlist, or creates it.
func (r *run) playlist(ctx context.Context, owner bson.ObjectID, l playlist) (bson.ObjectID, error) {
	all, err := r.site.Playlists.All(ctx, owner)
	if err != nil {
		return bson.ObjectID{}, err
	}
	if at := slices.IndexFunc(all, func(there *models.Playlist) bool { return there.Name == l.name }); at >= 0 {
		return all[at].ID, nil
	}
	made := &models.Playlist{Owner: owner, Name: l.name, Description: l.text, Visibility: l.visibility}
	err = r.site.Playlists.Create(ctx, made)
	return made.ID, err
}
