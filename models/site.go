// Package models holds the site's documents, one file for each kind: its fields, rules, indexes and queries. A query
// for somebody's own documents takes that user's id first, so it can't reach anybody else's.
//
// Does not belong here: what all documents share (models/store), HTTP, cookies, templates.
package models

import (
	"time"

	"tokentube/models/store"
)

// Settings are the parts of the configuration that the models need.
type Settings struct {
	Sessions SessionPolicy
	Quota    int64  // bytes that the files of a user's posts may take; 0: unlimited
	Key      string // for hashes of what must not be stored in plain form: viewers, addresses
}

// Site is all of the site's documents.
type Site struct {
	DB       *store.DB
	Users    *Users
	Sessions *Sessions
	Events   *Events
	Attempts *Attempts
	Posts    *Posts
	Likes    *PostLikes
	Views    *Views
	Requests *Requests
	Turns    *Turns

	Broadcasts *Broadcasts

	Mails   *Mails
	Links   *Links
	Factors *Factors

	Addresses *Addresses
	Devices   *Devices

	Subscriptions *Subscriptions
	History       *History
	Playlists     *Playlists

	Comments     *Comments
	CommentLikes *Likes
	Blocks       *Blocks

	Dailies *Dailies

	Notifications *Notifications
	Moderation    *Moderation
	Reports       *Reports

	settings Settings
}

// New registers every kind of document. Prepare the database before they are used.
func New(db *store.DB, s Settings) *Site {
	users := NewUsers(db)
	posts := NewPosts(db, users, s.Quota)
	blocks := NewBlocks(db, users)
	comments := NewComments(db, posts, users, blocks)
	notifications := NewNotifications(db, users, posts, comments, blocks)
	posts.notifications, comments.notifications = notifications, notifications
	sessions, events := NewSessions(db, s.Sessions), NewEvents(db)
	attempts := NewAttempts(db, s.Key)
	factors := NewFactors(db, users)
	moderation := NewModeration(db, users, sessions, events, posts, comments, factors)
	site := &Site{
		DB:       db,
		Users:    users,
		Sessions: sessions,
		Events:   events,
		Attempts: attempts,
		Posts:    posts,
		Likes:    &PostLikes{NewLikes(db, "likes", "posts", trend(likeHeat), posts.likeable, notifications), posts},
		Views:    NewViews(db, posts, s.Key),
		Requests: NewRequests(db, s.Key),
		Turns:    NewTurns(db),

		Broadcasts: NewBroadcasts(db),

		Mails:   NewMails(db, attempts),
		Links:   NewLinks(db, users),
		Factors: factors,

		Addresses: &Addresses{db, users, events},
		Devices:   NewDevices(db),

		Subscriptions: NewSubscriptions(db, users, blocks, notifications),
		History:       NewHistory(db, users, posts),
		Playlists:     NewPlaylists(db, users, posts),

		Comments:     comments,
		CommentLikes: NewLikes(db, "commentLikes", "comments", store.Score{}, comments.likeable, notifications),
		Blocks:       blocks,

		Dailies: NewDailies(db, posts),

		Notifications: notifications,
		Moderation:    moderation,
		Reports:       NewReports(db, users, posts, comments, moderation),

		settings: s,
	}
	site.Dailies.follow(site)
	return site
}

// At is the site as of another time: see store.DB.At. Close its database when done.
func (s *Site) At(clock func() time.Time) *Site { return New(s.DB.At(clock), s.settings) }
