package models

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/apperr"
)

// Administrators can help others back in, but not themselves or one another.
func TestModeratorsOfLogins(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, boss, other := w.user(t, "alice"), w.user(t, "boss"), w.user(t, "other")
	for _, u := range []*User{boss, other} {
		_, err := w.Users.SetRoles(ctx, u.ID, []string{Admin})
		fatal(t, err)
		w.factor(t, u)
	}
	w.factor(t, alice)
	kept := w.session(t, other)
	w.session(t, alice)
	w.session(t, alice)
	by := Moderator{ID: boss.ID}
	for who, want := range map[bson.ObjectID]apperr.Code{boss.ID: apperr.Conflict, other.ID: apperr.Forbidden, bson.NewObjectID(): apperr.NotFound} {
		_, _, err := w.Moderation.RemoveFactors(ctx, by, who)
		wantCode(t, err, want, "")
		_, err = w.Moderation.EndSessions(ctx, by, who)
		wantCode(t, err, want, "")
	}
	_, _, err := w.Moderation.RemoveFactors(ctx, Moderator{ID: alice.ID}, other.ID)
	wantCode(t, err, apperr.Forbidden, "")
	for _, want := range []bool{true, false} {
		u, removed, err := w.Moderation.RemoveFactors(ctx, by, alice.ID)
		fatal(t, err)
		left, err := w.Factors.CodesLeft(ctx, alice.ID)
		fatal(t, err)
		now, err := w.Users.ByID(ctx, alice.ID)
		fatal(t, err)
		if u.Username != "alice" || removed != want || left != 0 || now.FactorsCount != 0 {
			t.Errorf("removed: %v, %d codes and %d factors left", removed, left, now.FactorsCount)
		}
	}
	for _, want := range []int{2, 0} {
		if n, err := w.Moderation.EndSessions(ctx, by, alice.ID); err != nil || n != want {
			t.Errorf("%d sessions ended: %v", n, err)
		}
	}
	if _, err := w.Sessions.ByID(ctx, kept.ID); err != nil {
		t.Errorf("somebody else is signed out: %v", err)
	}
	if _, removed, err := w.Moderation.RemoveFactors(ctx, Moderator{}, other.ID); err != nil || !removed {
		t.Errorf("the command line removed: %v, %v", removed, err)
	}
}
