package models

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

func TestReservedNames(t *testing.T) {
	for _, name := range []string{
		"admin", "support", "api", "root", "moderator", "adm1n", "a_d_m_i_n", "admin.", "_admin_", "-.admin", "4dmln", "5upp0rt",
		"mode.rator", "rnoderator", "support-team", "admin.admin", "tokentube", "t0kentube", "token_tube", "the-tokentube-team",
		"tokentubesupport", "settings", "p0sts", "admin2", "support_24", "moderator5", "suppor7", "robots.txt", "well-known", "...", "_-_",
	} {
		if !reserved(name) || !usernames.MatchString(name) {
			t.Errorf("%s is not reserved", name)
		}
	}
	for _, name := range []string{
		"alice", "bob", "administer", "badminton", "supporter", "adminson", "my-home", "api-fan", "northern-sky", "tube", "l33t", "user5", "test1", "post2026", "mod3rn", "rootbeer", "a.b.c",
	} {
		if reserved(name) {
			t.Errorf("%s is reserved", name)
		}
	}
	for word := range strings.FieldsSeq(staffWords + siteWords) {
		if !reserved(word) {
			t.Errorf("%s is not reserved", word)
		}
	}
}

// Nobody gets a reserved name by registering or renaming. Users who already have one keep it, and can change everything
// else.
func TestReservedNamesAreKeptByThoseWhoHaveThem(t *testing.T) {
	w, ctx := newWorld(t), watched()
	taken := &User{Username: "adm1n", Email: "a@example.com", FullName: "A", PasswordHash: "hash"}
	wantCode(t, w.Users.Check(ctx, taken), apperr.Invalid, "username")
	wantCode(t, w.Users.Create(ctx, taken), apperr.Invalid, "username")
	both := w.Users.Check(ctx, &User{Username: "support", Email: "no address", FullName: "A"})
	wantCode(t, both, apperr.Invalid, "username")
	wantCode(t, both, apperr.Invalid, "email")

	alice := w.user(t, "alice")
	name := func(name string) error {
		_, err := w.Users.Update(ctx, alice.ID, UserChanges{Username: &name})
		return err
	}
	wantCode(t, name(" Support_ "), apperr.Invalid, "username")
	fatal(t, name("alicia"))

	old := w.user(t, "bob")
	_, err := w.Users.users.Update(ctx, store.Where("_id", old.ID), bson.D{store.Set("username", "admin")}) // from before it was reserved
	fatal(t, err)
	bio, same, other := "hello", "Admin ", "moderator"
	if u, err := w.Users.Update(ctx, old.ID, UserChanges{Bio: &bio, Username: &same}); err != nil || u.Username != "admin" || u.Bio != bio {
		t.Errorf("%+v, %v", u, err)
	}
	_, err = w.Users.Update(ctx, old.ID, UserChanges{Username: &other})
	wantCode(t, err, apperr.Invalid, "username")
	_, err = w.Users.SetRoles(ctx, old.ID, []string{Admin})
	fatal(t, err)
}
