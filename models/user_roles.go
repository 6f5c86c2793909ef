package models

import (
	"context"
	"regexp"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// Admin is the role of people who may manage the whole site. No request can grant or revoke a role: that takes the
// admin command.
const Admin = "admin"

const rolesPerUser = 20

var roleNames = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,29}$`)

// HasRole reports whether the user has the role.
func (u *User) HasRole(role string) bool { return slices.Contains(u.Roles, role) }

// SetRoles replaces the user's roles. RequireRole bypasses the cache, so revoking a role takes effect immediately;
// access tokens show it from the next one on.
func (m *Users) SetRoles(ctx context.Context, id bson.ObjectID, roles []string) (*User, error) {
	roles = slices.Clone(roles)
	slices.Sort(roles)
	roles = append([]string{}, slices.Compact(roles)...) // never null
	for _, role := range roles {
		if !roleNames.MatchString(role) || len(roles) > rolesPerUser {
			return nil, apperr.InvalidField("roles", "A role is a word of up to 30 lowercase letters and digits, and a user has at most %d.", rolesPerUser)
		}
	}
	return m.users.Update(ctx, store.Where("_id", id), bson.D{store.Set("roles", roles, "updatedAt", m.db.Now())})
}

// WithRole lists the users with the role, by reading all users: it is for the command line.
func (m *Users) WithRole(ctx context.Context, role string) (users []*User, err error) {
	err = m.users.All(ctx, store.Where("roles", role), func(u *User) error { users = append(users, u); return nil })
	return users, err
}

// actingAdmin loads an administrator whose account is enabled. It is a write, so an administrator's act and a
// concurrent loss of their rights wait for each other.
func (m *Users) actingAdmin(ctx context.Context, id bson.ObjectID) (*User, error) {
	u, err := m.users.Update(ctx, store.Where("_id", id, "roles", Admin, "disabledAt", store.Absent), bson.D{store.Set("actedAt", m.db.Now())})
	if apperr.Is(err, apperr.NotFound) {
		err = apperr.New(apperr.Forbidden, "Only an administrator can do this.").Because(err)
	}
	return u, err
}

// checkOtherAdmins refuses to leave the site without an administrator when this account is disabled. It reads all
// users: it is for the command line. An administrator who disables another one remains themselves.
func (m *Users) checkOtherAdmins(ctx context.Context, id bson.ObjectID) error {
	admins, err := m.WithRole(ctx, Admin)
	if err != nil {
		return err
	}
	last := false
	for _, u := range admins {
		if u.ID != id && u.DisabledAt == nil {
			return nil
		}
		last = last || u.ID == id
	}
	if last {
		return apperr.New(apperr.Conflict, "This is the last administrator. Make somebody else one first.")
	}
	return nil
}
