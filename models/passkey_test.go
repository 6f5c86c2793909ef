package models

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/utils/apperr"
)

// passkey adds a passkey for a user.
func (w *world) passkey(t testing.TB, u *User, name string) *Passkey {
	t.Helper()
	p := newPasskey(u, name)
	_, err := w.Factors.AddPasskey(watched(), p)
	fatal(t, err)
	return p
}

func newPasskey(u *User, name string) *Passkey {
	return &Passkey{User: u.ID, Credential: []byte(name + u.Username), PublicKey: []byte("key"), Transports: []string{"internal"}, Name: name}
}

func (w *world) factors(t testing.TB, u *User) (all, passkeys int64) {
	t.Helper()
	now, err := w.Users.ByID(watched(), u.ID)
	fatal(t, err)
	return now.FactorsCount, now.PasskeysCount
}

func TestPasskeys(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	for _, name := range []string{"", "  ", strings.Repeat("x", 51), "a\nb"} {
		_, err := w.Factors.AddPasskey(ctx, newPasskey(alice, name))
		wantCode(t, err, apperr.Invalid, "name")
	}
	first := newPasskey(alice, " phone ")
	codes, err := w.Factors.AddPasskey(ctx, first)
	fatal(t, err)
	if len(codes) != codesAtOnce || first.Name != "phone" {
		t.Errorf("%d codes with %q", len(codes), first.Name)
	}
	stolen := newPasskey(bob, "mine")
	stolen.Credential = first.Credential
	_, err = w.Factors.AddPasskey(ctx, stolen)
	wantCode(t, err, apperr.Conflict, "")
	w.factor(t, alice)
	second := w.passkey(t, alice, "key")
	if all, passkeys := w.factors(t, alice); all != 3 || passkeys != 2 {
		t.Errorf("%d factors, %d passkeys", all, passkeys)
	}
	if all, passkeys := w.factors(t, bob); all != 0 || passkeys != 0 {
		t.Errorf("bob has %d factors, %d passkeys", all, passkeys)
	}

	_, err = w.Factors.RenamePasskey(ctx, bob.ID, first.ID, "bob's")
	wantCode(t, err, apperr.NotFound, "")
	_, err = w.Factors.RenamePasskey(ctx, alice.ID, first.ID, "")
	wantCode(t, err, apperr.Invalid, "name")
	renamed, err := w.Factors.RenamePasskey(ctx, alice.ID, first.ID, "new phone")
	fatal(t, err)
	found, err := w.Factors.PasskeyByCredential(ctx, first.Credential)
	fatal(t, err)
	if renamed.Name != "new phone" || found.ID != first.ID || found.Name != "new phone" {
		t.Errorf("renamed %+v, found %+v", renamed, found)
	}

	if p, err := w.Factors.RemovePasskey(ctx, bob.ID, first.ID); p != nil || err != nil {
		t.Errorf("bob removes %v: %v", p, err)
	}
	fatalRemoved := func(id bson.ObjectID, want bool) {
		t.Helper()
		p, err := w.Factors.RemovePasskey(ctx, alice.ID, id)
		fatal(t, err)
		if (p != nil) != want {
			t.Errorf("removed: %v", p)
		}
	}
	fatalRemoved(first.ID, true)
	fatalRemoved(first.ID, false)
	fatalRemoved(second.ID, true)
	left, err := w.Factors.CodesLeft(ctx, alice.ID)
	fatal(t, err)
	if all, passkeys := w.factors(t, alice); all != 1 || passkeys != 0 || left != codesAtOnce {
		t.Errorf("the app is left: %d factors, %d passkeys, %d codes", all, passkeys, left)
	}
	w.checkWhole(t)
}

func TestAllFactorsAreRemoved(t *testing.T) {
	w, ctx := newWorld(t), watched()
	for i, with := range []func(*User){
		func(u *User) { w.passkey(t, u, "a"); w.passkey(t, u, "b") },
		func(u *User) { w.passkey(t, u, "a"); w.factor(t, u) },
		func(u *User) { w.factor(t, u) },
	} {
		u := w.user(t, fmt.Sprint("user", i))
		with(u)
		for _, want := range []bool{true, false} {
			removed, err := w.Factors.RemoveAll(ctx, u.ID)
			fatal(t, err)
			left, err := w.Factors.CodesLeft(ctx, u.ID)
			fatal(t, err)
			if all, passkeys := w.factors(t, u); removed != want || all != 0 || passkeys != 0 || left != 0 {
				t.Errorf("%d: removed: %v, %d factors, %d passkeys, %d codes", i, removed, all, passkeys, left)
			}
		}
	}
}

// Those that existed before stay, as do the recovery codes, which are removed with the last factor.
func TestNewFactorsAreRemoved(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	old := w.passkey(t, alice, "old")
	w.advance(time.Hour)
	since := w.now()
	w.factor(t, alice)
	w.advance(time.Hour)
	w.passkey(t, alice, "new")
	w.passkey(t, w.user(t, "bob"), "bob's")
	removed, err := w.Factors.RemoveSince(ctx, alice.ID, since)
	fatal(t, err)
	left, err := w.Factors.CodesLeft(ctx, alice.ID)
	fatal(t, err)
	if all, passkeys := w.factors(t, alice); !removed.App || len(removed.Passkeys) != 1 || removed.Passkeys[0].Name != "new" || all != 1 || passkeys != 1 || left != codesAtOnce {
		t.Errorf("removed %+v, %d factors and %d codes left", removed, all, left)
	}
	if removed, err = w.Factors.RemoveSince(ctx, alice.ID, since); err != nil || removed.Any() {
		t.Errorf("again: %+v, %v", removed, err)
	}
	removed, err = w.Factors.RemoveSince(ctx, alice.ID, old.CreatedAt)
	fatal(t, err)
	left, err = w.Factors.CodesLeft(ctx, alice.ID)
	fatal(t, err)
	if all, _ := w.factors(t, alice); len(removed.Passkeys) != 1 || all != 0 || left != 0 {
		t.Errorf("removed %+v, %d factors and %d codes left", removed, all, left)
	}
	w.checkWhole(t)
}

func TestPasskeysGoWithTheAccountAndAreTwenty(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	var refused atomic.Int32
	var all sync.WaitGroup
	for i := range MaxPasskeys + 2 {
		all.Go(func() {
			if _, err := w.Factors.AddPasskey(ctx, newPasskey(alice, fmt.Sprint("key ", i))); apperr.Is(err, apperr.Conflict) {
				refused.Add(1)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	list, err := w.Factors.Passkeys(ctx, alice.ID)
	fatal(t, err)
	if len(list) != MaxPasskeys || refused.Load() != 2 {
		t.Errorf("%d passkeys, %d refused", len(list), refused.Load())
	}
	fatal(t, w.Factors.Ask(ctx, PasskeyAdd, alice.ID, "session", "challenge"))
	fatal(t, w.Users.Delete(ctx, alice.ID))
	w.DB.WaitRemovals()
	for _, kind := range []string{"passkeys", "challenges", "recoveryCodes"} {
		if n := len(w.documents(t)[kind]); n != 0 {
			t.Errorf("%d %s stay", n, kind)
		}
	}
}

func TestAPasskeyCountsOn(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	p := w.passkey(t, alice, "key")
	for _, count := range []int64{0, 0, 1, 5, 1 << 31} {
		fatal(t, w.Factors.UsePasskey(ctx, p, count, true))
	}
	for _, count := range []int64{1 << 31, 4, 0} {
		err := w.Factors.UsePasskey(ctx, p, count, false)
		wantCode(t, err, apperr.Invalid, "")
		if copied := CopiedPasskey(err); copied == nil || copied.ID != p.ID {
			t.Errorf("%d: %v", count, err)
		}
	}
	now, err := w.Factors.PasskeyByCredential(ctx, p.Credential)
	fatal(t, err)
	if now.SignCount != 1<<31 || !now.Synced || now.LastUsedAt == nil || !now.LastUsedAt.Equal(w.now()) {
		t.Errorf("it is %+v", now)
	}
	_, err = w.Factors.RemovePasskey(ctx, alice.ID, p.ID)
	fatal(t, err)
	wantCode(t, w.Factors.UsePasskey(ctx, p, 1<<32-1, true), apperr.NotFound, "")
}

func TestAChallengeIsAnsweredOnce(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	var nobody bson.ObjectID
	fatal(t, w.Factors.Ask(ctx, PasskeyConfirm, alice.ID, "here", "c"))
	fatal(t, w.Factors.Ask(ctx, PasskeyLogin, nobody, "", "d"))
	for _, other := range []error{
		w.Factors.Answered(ctx, PasskeyAdd, alice.ID, "here", "c"),
		w.Factors.Answered(ctx, PasskeyConfirm, bob.ID, "here", "c"),
		w.Factors.Answered(ctx, PasskeyConfirm, nobody, "here", "c"),
		w.Factors.Answered(ctx, PasskeyConfirm, alice.ID, "there", "c"),
		w.Factors.Answered(ctx, PasskeyConfirm, alice.ID, "here", ""),
		w.Factors.Answered(ctx, PasskeyLogin, alice.ID, "", "d"),
	} {
		wantCode(t, other, apperr.Conflict, "")
	}
	fatal(t, w.Factors.Answered(ctx, PasskeyLogin, nobody, "", "d"))
	var won atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if err := w.Factors.Answered(ctx, PasskeyConfirm, alice.ID, "here", "c"); err == nil {
				won.Add(1)
			} else if !apperr.Is(err, apperr.Conflict) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d answers are accepted", won.Load())
	}
	fatal(t, w.Factors.Ask(ctx, PasskeySecond, alice.ID, "token", "e"))
	w.advance(ChallengeTTL + time.Second)
	wantCode(t, w.Factors.Answered(ctx, PasskeySecond, alice.ID, "token", "e"), apperr.Conflict, "")
}
