package models

import (
	"context"
	"regexp"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/utils/apperr"
)

// Admin is the role of those who may do what concerns the whole site. No request
// gives or takes a role: the admin command does.
const Admin = "admin"

const rolesPerUser = 20

var roleNames = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,29}$`)

// HasRole tells whether the user has the role.
func (u *User) HasRole(role string) bool { return slices.Contains(u.Roles, role) }

// SetRoles replaces the user's roles. RequireRole reads them past the cache, so
// who lost one has lost it at once; access tokens say it from the next one on.
func (m *Users) SetRoles(ctx context.Context, id bson.ObjectID, roles []string) (*User, error) {
	roles = slices.Clone(roles)
	slices.Sort(roles)
	roles = append([]string{}, slices.Compact(roles)...) // never null
	for _, role := range roles {
		if !roleNames.MatchString(role) || len(roles) > rolesPerUser {
			e := apperr.New(apperr.Invalid, "A role is a word of up to 30 lower-case letters and digits, and a user has %d at most.", rolesPerUser)
			e.Fields = []apperr.Field{{Name: "roles", Message: e.Message}}
			return nil, e
		}
	}
	set := bson.D{{Key: "roles", Value: roles}, {Key: "updatedAt", Value: m.db.now()}}
	return m.set(ctx, live(bson.E{Key: "_id", Value: id}), set, options.After)
}

// WithRole lists the users who have the role, by walking all: it is for the
// command line.
func (m *Users) WithRole(ctx context.Context, role string) ([]*User, error) {
	filter := live(bson.E{Key: "_id", Value: bson.D{{Key: "$gt", Value: bson.NilObjectID}}}, bson.E{Key: "roles", Value: role})
	cursor, err := m.users.Find(ctx, filter, options.Find().SetSort(keys("_id")))
	return collect[*User](ctx, cursor, err)
}
