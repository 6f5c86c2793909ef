package models

import (
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/apperr"
)

func TestRolesAreSetAndCheckedAndListed(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	if u, err := w.Users.Cached(ctx, alice.ID); err != nil || u.HasRole(Admin) {
		t.Fatalf("a new user: %v, %v", u, err)
	}
	u, err := w.Users.SetRoles(ctx, alice.ID, []string{"editor", Admin, "editor"})
	fatal(t, err)
	if !slices.Equal(u.Roles, []string{Admin, "editor"}) {
		t.Errorf("roles are %q", u.Roles)
	}
	if u, err = w.Users.Cached(ctx, alice.ID); err != nil || !u.HasRole(Admin) {
		t.Errorf("the cache still says %v, %v", u, err)
	}
	admins, err := w.Users.WithRole(ctx, Admin)
	fatal(t, err)
	if len(admins) != 1 || admins[0].ID != alice.ID {
		t.Errorf("admins: %v", admins)
	}
	for _, bad := range [][]string{{"Admin"}, {""}, {"two words"}, {strings.Repeat("a", 31)}, manyRoles(21)} {
		_, err := w.Users.SetRoles(ctx, bob.ID, bad)
		wantCode(t, err, apperr.Invalid, "roles")
	}
	u, err = w.Users.SetRoles(ctx, alice.ID, nil)
	fatal(t, err)
	if u.Roles == nil || len(u.Roles) != 0 {
		t.Errorf("no roles are %#v", u.Roles)
	}
	_, err = w.Users.SetRoles(ctx, bson.NewObjectID(), []string{Admin})
	wantCode(t, err, apperr.NotFound, "")
	fatal(t, w.Users.Delete(ctx, bob.ID))
	_, err = w.Users.SetRoles(ctx, bob.ID, []string{Admin})
	wantCode(t, err, apperr.NotFound, "")
}

func manyRoles(n int) (list []string) {
	for i := range n {
		list = append(list, "role-"+string(rune('a'+i)))
	}
	return list
}
