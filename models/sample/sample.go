// Package sample fills a site with sample content: channels that publish, like, comment on and follow one another,
// spread over the last weeks, so that every page has something to show. It uses the models, at earlier times; the
// result is as if people had created it.
//
// Does not belong here: a query, or a write that bypasses the models.
package sample

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/media"
	"tokentube/utils/password"
)

// Filler adds the sample content to a site.
type Filler struct {
	Site   *models.Site
	Files  *media.Store
	Hasher *password.Hasher

	Wanted func(context.Context) error // called once no other run can start; an error cancels this one; nil: always wanted
}

// Added is what was added, and how to log in as one of the channels.
type Added struct {
	Channels, Posts    int // zero: everything already existed
	Username, Password string
}

// String describes it in one or two sentences.
func (a Added) String() string {
	what := fmt.Sprintf("Added %d channels with %d posts.", a.Channels, a.Posts)
	if a.Channels+a.Posts == 0 {
		what = "The sample content was already there; its login has a new password."
	}
	return fmt.Sprintf("%s Log in as %s with the password %s", what, a.Username, a.Password)
}

// age is how long before the sample content is added its first channel joins; apart is the time between two channels.
const (
	age   = 45 * 24 * time.Hour
	apart = 31 * time.Hour
)

// Fill adds what isn't there yet. So it may be stopped at any moment and run again, and a second run adds nothing; each
// gives the login a new password. While another run is active, in any process, it returns a conflict. A run that died
// blocks others for models.TurnTime.
func (f Filler) Fill(ctx context.Context) (Added, error) {
	turn, err := f.Site.Turns.Take(ctx, "sample content")
	if err != nil {
		return Added{}, err
	}
	defer func() { _ = f.Site.Turns.Give(context.WithoutCancel(ctx), turn) }()
	alive, stop := context.WithCancel(ctx)
	defer stop()
	go f.keep(alive, turn)
	ctx = f.Site.Turns.Within(ctx, turn)
	if f.Wanted != nil {
		if err := f.Wanted(ctx); err != nil {
			return Added{}, err
		}
	}
	return f.fill(ctx)
}

// keep renews the turn until ctx ends, also while files are stored and nothing is written to the database. If another
// run gets the turn nevertheless, this one can't write anything more.
func (f Filler) keep(ctx context.Context, turn *models.Turn) {
	tick := time.NewTicker(models.TurnTime / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = f.Site.Turns.Live(ctx, turn) // the next renewal may succeed
		}
	}
}

func (f Filler) fill(ctx context.Context) (Added, error) {
	secret := rand.Text()
	hash, err := f.Hasher.Hash(ctx, secret, password.Turn{})
	if err != nil {
		return Added{}, err
	}
	then := &clock{}
	site := f.Site.At(then.now)
	defer func() { _ = site.DB.Close(context.WithoutCancel(ctx)) }()
	r := &run{site: site, files: f.Files, clock: then, users: map[string]*models.User{}, remarks: map[said]*models.Comment{}}
	if err := r.all(ctx, f.Site.DB.Now()); err != nil {
		_ = f.Site.DB.DeleteFiles(context.WithoutCancel(ctx), r.stored()...)
		return Added{}, err
	}
	login := r.users[channels[0].username]
	return Added{Channels: r.channels, Posts: r.added, Username: login.Username, Password: secret}, f.setPassword(ctx, login.ID, hash)
}

// setPassword allows logging in to the channel. Until then, nobody can.
func (f Filler) setPassword(ctx context.Context, id bson.ObjectID, hash string) error {
	return f.Site.DB.Atomically(ctx, func(ctx context.Context) error {
		u, err := f.Site.Users.ByID(ctx, id)
		if err != nil {
			return err
		}
		if _, err = f.Site.Users.SetPassword(ctx, id, u.PasswordHash, hash); err != nil {
			return err
		}
		_, err = f.Site.Sessions.EndOthers(ctx, id, bson.NilObjectID, models.PasswordChanged)
		return err
	})
}

// clock is the time at which sample content is created.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// run is one attempt to add the sample content.
type run struct {
	site  *models.Site
	files *media.Store
	clock *clock

	end     time.Time // when the last event happens
	users   map[string]*models.User
	posts   []*models.Post // in the order of allPosts; nil: missing
	remarks map[said]*models.Comment

	pictures []pictures // of the missing channels
	media    []stored   // of the missing posts

	channels, added int
}

// said identifies a comment.
type said struct {
	post   int
	by, is string
}

// entry is a post with its channel.
type entry struct {
	post
	by string
}

// allPosts are the posts of all channels.
func allPosts() (all []entry) {
	for _, c := range channels {
		for _, p := range c.posts {
			all = append(all, entry{p, c.username})
		}
	}
	return all
}

func address(username string) string { return username + "@example.com" } // a reserved domain (RFC 2606 §3)

func (r *run) all(ctx context.Context, now time.Time) error {
	if err := r.find(ctx, now); err != nil {
		return err
	}
	if err := r.save(ctx); err != nil {
		return err
	}
	return r.live(ctx)
}

// find looks for what an earlier attempt has added, and continues with its times.
func (r *run) find(ctx context.Context, now time.Time) error {
	r.end = now
	r.clock.set(now)
	for i, c := range channels {
		u, err := r.site.Users.ByLogin(ctx, c.username)
		switch {
		case apperr.Is(err, apperr.NotFound):
			continue
		case err != nil:
			return err
		case u.Email != address(c.username):
			return apperr.New(apperr.Conflict, "The sample content needs the username %s, which somebody else has.", c.username)
		case u.DisabledAt != nil:
			return apperr.New(apperr.Conflict, "The sample channel %s is disabled. Enable it first.", c.username)
		}
		r.users[c.username] = u
		r.end = u.CreatedAt.Add(age - time.Duration(i)*apart)
	}
	for i, e := range allPosts() {
		p, err := r.findPost(ctx, e)
		if err != nil {
			return err
		}
		r.posts = append(r.posts, p)
		if err := r.findRemarks(ctx, i); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) findPost(ctx context.Context, e entry) (*models.Post, error) {
	u := r.users[e.by]
	if u == nil {
		return nil, nil
	}
	own, err := r.site.Posts.Mine(ctx, u.ID, models.MineQuery{Kind: e.kind}, store.Paging{Limit: store.MaxLimit})
	at := slices.IndexFunc(own.Items, func(p *models.Post) bool { return p.Title == e.title && p.Description == e.text })
	if err != nil || at < 0 {
		return nil, err
	}
	return own.Items[at], nil
}

func (r *run) findRemarks(ctx context.Context, i int) error {
	p := r.posts[i]
	if p == nil {
		return nil
	}
	threads, err := r.comments(ctx, i, models.CommentQuery{Post: p})
	for _, c := range threads {
		if c.RepliesCount > 0 && err == nil {
			_, err = r.comments(ctx, i, models.CommentQuery{Post: p, Parent: c.ID})
		}
	}
	return err
}

// comments records which of the comments already exist. The sample content is the oldest.
func (r *run) comments(ctx context.Context, i int, q models.CommentQuery) ([]*models.Comment, error) {
	q.Oldest = true
	page, err := r.site.Comments.Page(ctx, q.Post.Owner, q, store.Paging{Limit: store.MaxLimit})
	for name, u := range r.users {
		for _, c := range page.Items {
			if c.Owner == u.ID {
				r.remarks[said{i, name, c.Content}] = c
			}
		}
	}
	return page.Items, err
}
