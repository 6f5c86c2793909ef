package models

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/token"
)

// User is an account and its channel. It is never sent in a response: it contains the password's hash (see
// controllers.User).
type User struct {
	ID                 bson.ObjectID `bson:"_id"`
	Username           string        `bson:"username" validate:"username"`
	Email              string        `bson:"email" validate:"required,max=254,email"`
	FullName           string        `bson:"fullName" validate:"required,max=80,line"`
	Bio                string        `bson:"bio" validate:"max=500,text"`
	Avatar             string        `bson:"avatar"`     // names of stored files
	CoverImage         string        `bson:"coverImage"` //
	PasswordHash       string        `bson:"passwordHash"`
	Roles              []string      `bson:"roles"`
	SubscribersCount   int64         `bson:"subscribersCount"`
	SubscriptionsCount int64         `bson:"subscriptionsCount"`
	BlocksCount        int64         `bson:"blocksCount"`
	NotificationsOff   []NoticeType  `bson:"notificationsOff"`           // see Notifications
	PostsCount         int64         `bson:"postsCount"`                 // only published ones
	StoredBytes        int64         `bson:"storedBytes"`                // bytes taken by the files of their posts
	PlaylistsCount     int64         `bson:"playlistsCount"`             // all of them, so it is never shown to others
	TheftAt            *time.Time    `bson:"theftAt,omitempty"`          // see NoteTheft
	DisabledAt         *time.Time    `bson:"disabledAt,omitempty"`       // see Moderation
	HistoryPaused      bool          `bson:"historyPaused"`              // see History
	UnconfirmedSince   *time.Time    `bson:"unconfirmedSince,omitempty"` // the address; see Addresses
	EmailLostAt        *time.Time    `bson:"emailLostAt,omitempty"`      // somebody else claimed it
	NewEmail           string        `bson:"newEmail,omitempty"`         // takes effect once it is confirmed
	FormerEmails       []FormerEmail `bson:"formerEmails,omitempty"`     // those that can be restored, oldest first
	FactorsCount       int64         `bson:"factorsCount"`               // confirmed ones: see Factors
	PasskeysCount      int64         `bson:"passkeysCount"`              // at most maxPasskeys
	CreatedAt          time.Time     `bson:"createdAt"`
	UpdatedAt          time.Time     `bson:"updatedAt"`
}

// Address is the account's email address; empty if somebody else has claimed it.
func (u *User) Address() string {
	if u.EmailLostAt != nil {
		return ""
	}
	return u.Email
}

// GenerateAccessToken makes the short-lived token that authenticates requests. It identifies the user, the session, and
// the refresh token that it was made with, which tells the session that its newest refresh token has arrived.
func (u *User) GenerateAccessToken(tokens *token.Tokens, s *Session, now time.Time) (string, error) {
	return tokens.Access.Sign(token.Claims{
		UserID:    u.ID.Hex(),
		Email:     u.Address(),
		Username:  u.Username,
		FullName:  u.FullName,
		Roles:     s.rolesOf(u),
		SessionID: s.ID.Hex(),
		RefreshID: s.Current.ID,
		Subject:   u.ID.Hex(),
		ID:        token.NewID(),
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(tokens.Access.TTL)),
	})
}

// GenerateRefreshToken makes the long-lived token that is exchanged for new access tokens. All its claims are kept in
// the session, so that the same token can be made again for a browser that didn't receive it (see Sessions.Rotate).
func (u *User) GenerateRefreshToken(tokens *token.Tokens, s *Session) (string, error) {
	return tokens.Refresh.Sign(token.Claims{
		UserID:    u.ID.Hex(),
		SessionID: s.ID.Hex(),
		Subject:   u.ID.Hex(),
		ID:        s.Current.ID,
		IssuedAt:  jwt.NewNumericDate(s.Current.IssuedAt),
		ExpiresAt: jwt.NewNumericDate(s.Current.ExpiresAt),
	})
}

// GenerateSecondStepToken makes the token that is held between the two steps of a login. The password was correct, and
// the token is good only for the second step. Once is the id that makes it valid only once (see Links).
func (u *User) GenerateSecondStepToken(tokens *token.Tokens, once string, remember bool, now time.Time) (string, error) {
	return tokens.Second.Sign(token.Claims{
		UserID:    u.ID.Hex(),
		Subject:   u.ID.Hex(),
		ID:        once,
		Remember:  remember,
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(tokens.Second.TTL)),
	})
}

// Users are the accounts.
type Users struct {
	db    *store.DB
	users *store.Documents[User]
}

// NewUsers registers the users.
func NewUsers(db *store.DB) *Users {
	return &Users{db: db, users: store.Register[User](db, store.Kind{
		Name:    "users",
		Indexes: []mongo.IndexModel{store.Unique("username"), store.Unique("email"), store.Index("keywords", "-_id")},
		Files:   []string{"avatar", "coverImage"},
		Cached:  true,
		People:  true,
		Export: store.Export{By: "_id", Fields: []string{
			"username", "email", "newEmail", "unconfirmedSince", "fullName", "bio", "avatar", "coverImage", "roles", "historyPaused", "notificationsOff", "createdAt", "updatedAt",
			"subscribersCount", "subscriptionsCount", "postsCount",
		}},
		Derived: derivedKeywords(func(u *User) []string { return keywords(nil, u.names()) }, "username", "fullName"),

		Obsolete: []string{"counted", "uncounted"},
	})}
}

// normalName is the form in which a username or email address is stored and looked up, at registration, at login and
// after a change.
func normalName(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// Check normalises the user's fields and validates them.
func (u *User) Check() error {
	u.Username, u.Email = normalName(u.Username), normalName(u.Email)
	u.FullName, u.Bio = strings.TrimSpace(u.FullName), normalText(u.Bio)
	err := validate(u)
	if isPlaceholder(u.Email) && u.EmailLostAt == nil {
		err = apperr.Join(err, apperr.InvalidField("email", "Enter an email address like name@example.com."))
	}
	return err
}

// checkNamed is Check for a user who is getting this username. Accounts that had a name before it was reserved keep it.
func (u *User) checkNamed() error {
	err := u.Check()
	if !reserved(u.Username) {
		return err
	}
	return apperr.Join(err, apperr.InvalidField("username", "This username is reserved. Choose another."))
}

// Check validates a user to be created, before the expensive parts of creating it.
func (m *Users) Check(ctx context.Context, u *User) error {
	faults := u.checkNamed()
	if !apperr.OfFields(faults) {
		return faults
	}
	for _, name := range []struct{ field, value string }{{"username", u.Username}, {"email", u.Email}} {
		if faults != nil && apperr.From(faults).Names(name.field) {
			continue
		}
		err := m.checkFree(ctx, name.field, name.value, u.UnconfirmedSince != nil)
		if err != nil && !apperr.Is(err, apperr.Conflict) {
			return err
		}
		faults = apperr.Join(faults, err)
	}
	return faults
}

// checkFree reports a name or an address that is taken. A user who will have to confirm the address may have a
// claimable one.
func (m *Users) checkFree(ctx context.Context, field, value string, claims bool) error {
	taken, err := m.users.Taken(ctx, field, value)
	if err != nil || !taken {
		return err
	}
	if field == "email" && claims {
		u, err := m.users.One(ctx, store.Where("email", value))
		if err == nil && u.claimable(m.db.Now()) {
			return nil
		}
		if err != nil && !apperr.Is(err, apperr.NotFound) {
			return err
		}
	}
	return store.ErrTaken(field)
}

// Create adds a user. If two want the same name at once, the unique indexes decide.
func (m *Users) Create(ctx context.Context, u *User) error {
	if err := u.checkNamed(); err != nil {
		return err
	}
	u.ID, u.CreatedAt = bson.NewObjectID(), m.db.Now()
	u.UpdatedAt = u.CreatedAt
	if u.Roles == nil {
		u.Roles = []string{}
	}
	return m.users.Insert(ctx, u)
}

// ByID loads a user, bypassing the cache.
func (m *Users) ByID(ctx context.Context, id bson.ObjectID) (*User, error) {
	return m.users.ByID(ctx, id)
}

// Cached is ByID from the cache: in processes other than the one that made a change, it may be up to store.CachedFor
// old. The user is shared, so don't change it.
func (m *Users) Cached(ctx context.Context, id bson.ObjectID) (*User, error) {
	return m.users.Cached(ctx, id)
}

// CachedByIDs loads several users at once, like Cached. Deleted ones are left out.
func (m *Users) CachedByIDs(ctx context.Context, ids []bson.ObjectID) (map[bson.ObjectID]*User, error) {
	return m.users.CachedByIDs(ctx, ids)
}

// related loads the users on one side of a page of a relation, except those who are being removed or are disabled.
func (m *Users) related(ctx context.Context, page store.Page[*store.Related], side func([]*store.Related) []bson.ObjectID) (store.Page[*User], error) {
	ids := side(page.Items)
	found, err := m.CachedByIDs(ctx, ids)
	people := make([]*User, 0, len(ids))
	for _, id := range ids {
		if u := found[id]; u != nil && u.DisabledAt == nil {
			people = append(people, u)
		}
	}
	return store.Page[*User]{Items: people, Next: page.Next}, err
}

// NormalEmail is the stored form of an address, if it is a valid one.
func NormalEmail(text string) (string, error) {
	in := struct {
		Email string `bson:"email" validate:"required,max=254,email"`
	}{normalName(text)}
	return in.Email, validate(&in)
}

// ByLogin finds the user by the username or email address that was entered at login. Usernames have no "@", so no name
// can be mistaken for somebody else's address.
func (m *Users) ByLogin(ctx context.Context, identifier string) (*User, error) {
	identifier = normalName(identifier)
	if strings.Contains(identifier, "@") {
		return m.users.One(ctx, store.Where("email", identifier))
	}
	return m.users.One(ctx, store.Where("username", identifier))
}

// ByUsername finds a channel. That of a disabled account is not found.
func (m *Users) ByUsername(ctx context.Context, name string) (*User, error) {
	u, err := m.users.One(ctx, store.Where("username", normalName(name)))
	return ifAvailable(u, err)
}

// Channel is ByUsername, but by id and from the cache.
func (m *Users) Channel(ctx context.Context, id bson.ObjectID) (*User, error) {
	u, err := m.users.Cached(ctx, id)
	return ifAvailable(u, err)
}

// Page lists all accounts, including disabled ones, oldest first.
func (m *Users) Page(ctx context.Context, p store.Paging) (store.Page[*User], error) {
	var all bson.D
	if p.After == "" { // otherwise the cursor determines where the index is read
		all = store.Where("_id", store.Where("$gt", bson.NilObjectID))
	}
	return m.users.Page(ctx, all, store.Order{"_id"}, p)
}

func ifAvailable(u *User, err error) (*User, error) {
	if err == nil && u.DisabledAt != nil {
		return nil, apperr.New(apperr.NotFound, "This channel is not available.")
	}
	return u, err
}

// WantsNotification reports whether the user has this type of notification on.
func (u *User) WantsNotification(t NoticeType) bool { return !slices.Contains(u.NotificationsOff, t) }

// named finds the users with these names; unknown names are left out.
func (m *Users) named(ctx context.Context, names []string) ([]*User, error) {
	if len(names) == 0 {
		return nil, nil
	}
	return m.users.List(ctx, store.Where("username", store.In(names)), nil, len(names))
}

// UserChanges are the fields that a user may edit; nil leaves one as it is. Email is only for a site that can't send
// email: a new address counts as confirmed.
type UserChanges struct{ Username, Email, FullName, Bio *string }

// Update changes the given fields and returns the updated user.
func (m *Users) Update(ctx context.Context, id bson.ObjectID, c UserChanges) (*User, error) {
	u, err := m.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	check, had, emailBefore := u.Check, u.Username, u.Email
	if c.Email != nil {
		u.EmailLostAt = nil
	}
	set := store.Where("updatedAt", m.db.Now())
	for _, field := range []struct {
		name     string
		from, to *string
	}{
		{"username", c.Username, &u.Username}, {"email", c.Email, &u.Email},
		{"fullName", c.FullName, &u.FullName}, {"bio", c.Bio, &u.Bio},
	} {
		if field.from != nil && *field.from != *field.to {
			*field.to = *field.from
			set = append(set, bson.E{Key: field.name, Value: field.to}) // read when it is written, after Check
		}
	}
	if normalName(u.Username) != had {
		check = u.checkNamed
	}
	if err := check(); err != nil {
		return nil, err
	}
	update := bson.D{{Key: "$set", Value: set}}
	if c.Email != nil && u.Email != emailBefore {
		update = append(update, bson.E{Key: "$unset", Value: store.Where("newEmail", "", "unconfirmedSince", "", "emailLostAt", "")})
	}
	return m.users.Update(ctx, store.Where("_id", id), update)
}

// SetPassword replaces the hash if it is still the old one: of two concurrent changes, the second one's old password is
// no longer correct.
func (m *Users) SetPassword(ctx context.Context, id bson.ObjectID, old, hash string) (*User, error) {
	return m.users.Update(ctx, store.Where("_id", id, "passwordHash", old), bson.D{store.Set("passwordHash", hash)})
}

// ConfirmPassword fails with not found if the password has changed or the account was disabled since the user was
// loaded. It is a write, so a login and a concurrent password change wait for each other.
func (m *Users) ConfirmPassword(ctx context.Context, u *User) error {
	_, err := m.users.Update(ctx, store.Where("_id", u.ID, "passwordHash", u.PasswordHash, "disabledAt", store.Absent), bson.D{store.Set("loginAt", m.db.Now())})
	return err
}

// Picture is the name of the field that stores a picture.
type Picture string

// The pictures of a user.
const (
	Avatar     Picture = "avatar"
	CoverImage Picture = "coverImage"
)

// SetPicture replaces a picture. It returns the updated user, and the name of the replaced file.
func (m *Users) SetPicture(ctx context.Context, id bson.ObjectID, p Picture, name string) (u *User, replaced string, err error) {
	err = m.db.Atomically(ctx, func(ctx context.Context) error {
		before, err := m.ByID(ctx, id)
		if err != nil {
			return err
		}
		replaced = map[Picture]string{Avatar: before.Avatar, CoverImage: before.CoverImage}[p]
		u, err = m.users.Update(ctx, store.Where("_id", id, string(p), replaced), bson.D{store.Set(string(p), name, "updatedAt", m.db.Now())})
		return err
	})
	return u, replaced, err
}

// Delete removes the user with everything that is theirs: sessions, posts, files, likes, and what these added to other
// people's counts.
func (m *Users) Delete(ctx context.Context, id bson.ObjectID) error {
	return m.users.Remove(ctx, id, nil)
}

// NoteTheft marks the account of a user one of whose refresh tokens was reused: sessions that start afterwards show a
// notice, until it is dismissed.
func (m *Users) NoteTheft(ctx context.Context, user bson.ObjectID) error {
	_, err := m.users.Update(ctx, store.Where("_id", user), bson.D{store.Set("theftAt", m.db.Now())})
	return err
}

// DismissTheft removes the mark, if it has this time.
func (m *Users) DismissTheft(ctx context.Context, user bson.ObjectID, until time.Time) error {
	_, err := m.users.Update(ctx, store.Where("_id", user, "theftAt", store.Where("$lte", until)), bson.D{store.Unset("theftAt")})
	if apperr.Is(err, apperr.NotFound) {
		return nil
	}
	return err
}

// TheftToTell is when one of the user's tokens was reused, if this session should show the notice: only if it started
// afterwards. An older session may be the thief's own, so it neither shows the notice nor can dismiss it.
func (u *User) TheftToTell(s *Session) *time.Time {
	if u.TheftAt == nil || s == nil || s.CreatedAt.Before(*u.TheftAt) {
		return nil
	}
	return u.TheftAt
}
