package models

import (
	"context"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
	"tokentube/utils/cache"
)

// cachedFor is how long another process may go on with what it knows of a user
// or a session that was changed here.
const cachedFor = 5 * time.Second

// NewUsers registers the users.
func NewUsers(db *DB) *Users {
	return &Users{
		db: db,
		users: db.register(entity{
			name:    "users",
			indexes: indexes(uniqueIndex("username"), uniqueIndex("email")),
			files:   []string{"avatar", "coverImage"},
		}),
		cache: cache.New[bson.ObjectID, *User](cachedFor, 10_000, db.clock),
	}
}

// normalName is how a username or an e-mail address is kept and looked up: the
// same at registration, at login and after a change.
func normalName(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

func (u *User) normalise() {
	u.Username, u.Email = normalName(u.Username), normalName(u.Email)
	u.FullName, u.Bio = strings.TrimSpace(u.FullName), strings.TrimSpace(strings.ReplaceAll(u.Bio, "\r\n", "\n"))
}

// Check says what is wrong with a user that is to be created, before the
// costly parts of creating it.
func (m *Users) Check(ctx context.Context, u *User) error {
	u.normalise()
	if err := validate(u); err != nil {
		return err
	}
	var taken *apperr.Error
	for _, name := range []bson.E{{Key: "username", Value: u.Username}, {Key: "email", Value: u.Email}} {
		n, err := m.users.CountDocuments(ctx, bson.D{name})
		if err != nil {
			return translate(err)
		}
		if n > 0 && taken == nil {
			taken = errTaken(name.Key)
		} else if n > 0 {
			taken.Fields = append(taken.Fields, errTaken(name.Key).Fields...)
		}
	}
	if taken != nil {
		return taken
	}
	return nil
}

func errTaken(field string) *apperr.Error {
	e := apperr.New(apperr.Conflict, "This %s is already taken.", field)
	e.Fields = []apperr.Field{{Name: field, Message: e.Message}}
	return e
}

// Create adds a user. The unique indexes decide between two who want one name at
// once.
func (m *Users) Create(ctx context.Context, u *User) error {
	u.normalise()
	if err := validate(u); err != nil {
		return err
	}
	u.ID, u.CreatedAt = bson.NewObjectID(), m.db.now()
	u.UpdatedAt = u.CreatedAt
	if u.Roles == nil {
		u.Roles = []string{}
	}
	_, err := m.users.InsertOne(ctx, u)
	return translate(err)
}

// ByUsername finds a channel.
func (m *Users) ByUsername(ctx context.Context, name string) (*User, error) {
	return decode[User](m.users.FindOne(ctx, live(bson.E{Key: "username", Value: normalName(name)})))
}

// live adds to a filter that the document is not being removed.
func live(conditions ...bson.E) bson.D {
	return append(bson.D(conditions), bson.E{Key: "deletedAt", Value: absent})
}

// ByIDs loads several users in one query. Those who are gone are missing.
func (m *Users) ByIDs(ctx context.Context, ids []bson.ObjectID) (map[bson.ObjectID]*User, error) {
	found := make(map[bson.ObjectID]*User, len(ids))
	if len(ids) == 0 {
		return found, nil
	}
	cursor, err := m.users.Find(ctx, live(bson.E{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}))
	users, err := collect[*User](ctx, cursor, err)
	for _, u := range users {
		found[u.ID] = u
	}
	return found, err
}

// UserChanges are the fields that a user may edit; nil leaves one as it is.
type UserChanges struct{ Username, Email, FullName, Bio *string }

// Update changes the fields that are given and returns the user as it is then.
func (m *Users) Update(ctx context.Context, id bson.ObjectID, c UserChanges) (*User, error) {
	u, err := m.ByID(ctx, id)
	if err != nil {
		return nil, err
	}
	changed := *u
	for _, field := range []struct{ to, from *string }{
		{&changed.Username, c.Username}, {&changed.Email, c.Email}, {&changed.FullName, c.FullName}, {&changed.Bio, c.Bio},
	} {
		if field.from != nil {
			*field.to = *field.from
		}
	}
	changed.normalise()
	if err := validate(changed); err != nil {
		return nil, err
	}
	set := bson.D{{Key: "updatedAt", Value: m.db.now()}}
	for _, field := range []struct{ name, before, after string }{
		{"username", u.Username, changed.Username}, {"email", u.Email, changed.Email},
		{"fullName", u.FullName, changed.FullName}, {"bio", u.Bio, changed.Bio},
	} {
		if field.before != field.after {
			set = append(set, bson.E{Key: field.name, Value: field.after})
		}
	}
	return m.set(ctx, live(bson.E{Key: "_id", Value: id}), set, options.After)
}

// SetPassword replaces the hash, if it is still the old one: of two changes at
// once the second one's old password is no longer right.
func (m *Users) SetPassword(ctx context.Context, id bson.ObjectID, old, hash string) (*User, error) {
	filter := live(bson.E{Key: "_id", Value: id}, bson.E{Key: "passwordHash", Value: old})
	return m.set(ctx, filter, bson.D{{Key: "passwordHash", Value: hash}}, options.After)
}

// Picture names the field that a picture is kept in.
type Picture string

const (
	Avatar     Picture = "avatar"
	CoverImage Picture = "coverImage"
)

// SetPicture replaces a picture. It returns the user as it is then, and the name
// of the file that was replaced.
func (m *Users) SetPicture(ctx context.Context, id bson.ObjectID, p Picture, name string) (u *User, replaced string, err error) {
	set := bson.D{{Key: string(p), Value: name}, {Key: "updatedAt", Value: m.db.now()}}
	u, err = m.set(ctx, live(bson.E{Key: "_id", Value: id}), set, options.Before)
	if err != nil {
		return nil, "", err
	}
	field := &u.Avatar
	if p == CoverImage {
		field = &u.CoverImage
	}
	replaced, *field = *field, name
	return u, replaced, nil
}

func (m *Users) set(ctx context.Context, filter, set bson.D, returned options.ReturnDocument) (*User, error) {
	u, err := decode[User](m.users.FindOneAndUpdate(ctx, filter, bson.D{{Key: "$set", Value: set}},
		options.FindOneAndUpdate().SetReturnDocument(returned)))
	if err != nil {
		return nil, err
	}
	m.cache.Drop(u.ID)
	return u, nil
}

// Delete removes the user with all that is theirs: sessions, posts, files, likes,
// and what these had added to the counts of others.
func (m *Users) Delete(ctx context.Context, id bson.ObjectID) error {
	err := m.db.beginRemoval(ctx, "users", id, bson.D{})
	m.cache.Drop(id)
	return err
}
