package models

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"tokentube/models/store"
	"tokentube/utils/apperr"
)

// unconfirmed registers an account that has yet to confirm its address.
func (w *world) unconfirmed(t *testing.T, name, address string) (*User, error) {
	t.Helper()
	now := w.now()
	u := &User{Username: name, Email: address, FullName: name, PasswordHash: "hash of " + name, UnconfirmedSince: &now}
	return u, w.Addresses.Register(watched(), u)
}

// confirm uses a link sent to the address.
func (w *world) confirm(t *testing.T, u *User, address string) (*User, error) {
	t.Helper()
	ctx := watched()
	secret, err := w.Links.Make(ctx, w.fresh(t, u), ConfirmEmail, address)
	if err != nil {
		return nil, err
	}
	var after *User
	err = w.DB.Atomically(ctx, func(ctx context.Context) error {
		before, mailbox, err := w.Links.Use(ctx, ConfirmEmail, secret)
		if err != nil {
			return err
		}
		after, _, err = w.Addresses.Confirm(ctx, before, mailbox, Device{})
		return err
	})
	return after, err
}

// fresh reloads the user.
func (w *world) fresh(t *testing.T, u *User) *User {
	t.Helper()
	u, err := w.Users.ByID(watched(), u.ID)
	fatal(t, err)
	return u
}

// change changes the user's address, which they confirm.
func (w *world) change(t *testing.T, u *User, address string) error {
	t.Helper()
	if _, err := w.Addresses.Ask(watched(), w.fresh(t, u), address, &Session{User: u.ID}, Device{}); err != nil {
		return err
	}
	_, err := w.confirm(t, u, address)
	return err
}

func TestAddressesThatNobodyConfirms(t *testing.T) {
	w, ctx := newWorld(t), watched()
	early, err := w.unconfirmed(t, "early", "shared@example.com")
	fatal(t, err)
	late := &User{Username: "late", Email: "Shared@example.com", FullName: "Late"}
	now := w.now()
	late.UnconfirmedSince = &now
	wantCode(t, w.Users.Check(ctx, late), "conflict", "email")
	_, err = w.unconfirmed(t, "late", "Shared@example.com")
	wantCode(t, err, "conflict", "email")

	w.advance(ClaimAfter)
	old := &User{Username: "other", Email: "shared@example.com", FullName: "Other"} // who won't have to confirm it
	wantCode(t, w.Users.Check(ctx, old), "conflict", "email")
	wantCode(t, w.Addresses.Register(ctx, old), "conflict", "email")

	fatal(t, w.Users.Check(ctx, late))
	secret, err := w.Links.Make(ctx, early, ConfirmEmail, early.Email)
	fatal(t, err)
	_, err = w.unconfirmed(t, "late", "shared@example.com")
	fatal(t, err)
	lost := w.fresh(t, early)
	if lost.Address() != "" || lost.EmailLostAt == nil || lost.Username != "early" {
		t.Errorf("%+v", lost)
	}
	for _, p := range []Purpose{ResetPassword, ConfirmEmail, NotMe} {
		if _, err := w.Links.Make(ctx, lost, p, "shared@example.com"); !apperr.Is(err, apperr.NotFound) {
			t.Errorf("a link for %s to the lost address: %v", p, err)
		}
	}
	_, _, err = w.Links.Use(ctx, ConfirmEmail, secret)
	wantCode(t, err, "invalid", "")
	if page, err := w.Events.Page(ctx, early.ID, store.Paging{}); err != nil || len(page.Items) != 1 || page.Items[0].Type != EventEmailLost {
		t.Errorf("%v %v", page, err)
	}

	// The account remains, and gets another address.
	bio := "still here"
	_, err = w.Users.Update(ctx, early.ID, UserChanges{Bio: &bio})
	fatal(t, err)
	_, err = w.Addresses.Ask(ctx, w.fresh(t, early), early.ID.Hex()+lostDomain, &Session{User: early.ID}, Device{})
	wantCode(t, err, "invalid", "email")
	fatal(t, w.change(t, early, "new@example.com"))
	if u := w.fresh(t, early); u.Address() != "new@example.com" || u.EmailLostAt != nil || len(u.FormerEmails) != 0 {
		t.Errorf("%+v", u)
	}
	// Nobody can claim an address that is confirmed, or of an account from before confirmations.
	alice := w.user(t, "alice")
	w.advance(100 * ClaimAfter)
	for i, address := range []string{"new@example.com", alice.Email} {
		_, err = w.unconfirmed(t, fmt.Sprint("thief", i), address)
		wantCode(t, err, "conflict", "email")
	}
}

// Of several who claim one address simultaneously, one gets it.
func TestAnAddressIsClaimedOnce(t *testing.T) {
	w := newWorld(t)
	_, err := w.unconfirmed(t, "early", "shared@example.com")
	fatal(t, err)
	w.advance(ClaimAfter)
	var all sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		all.Go(func() { _, errs[i] = w.unconfirmed(t, fmt.Sprint("late", i), "shared@example.com") })
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			wantCode(t, err, "conflict", "email")
		}
	}
	if won != 1 {
		t.Errorf("%d have the address", won)
	}
}

func TestAChangeOfAddressCountsOnceItIsConfirmed(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	ask := func(address string) (*User, error) {
		return w.Addresses.Ask(ctx, w.fresh(t, alice), address, &Session{User: alice.ID}, Device{})
	}
	_, err := ask(bob.Email)
	wantCode(t, err, "conflict", "email")
	_, err = ask("nonsense")
	wantCode(t, err, "invalid", "email")
	u, err := ask(" New@Example.com ")
	fatal(t, err)
	if u.Email != alice.Email || u.NewEmail != "new@example.com" {
		t.Fatalf("%+v", u)
	}
	first, err := w.Links.Make(ctx, u, ConfirmEmail, "new@example.com")
	fatal(t, err)
	u, err = ask("newer@example.com")
	fatal(t, err)
	_, _, err = w.Links.Look(ctx, ConfirmEmail, first) // for an address that is no longer wanted
	wantCode(t, err, "invalid", "")
	second, err := w.Links.Make(ctx, u, ConfirmEmail, "newer@example.com")
	fatal(t, err)
	if _, err := ask(alice.Email); err != nil || w.fresh(t, alice).NewEmail != "" {
		t.Errorf("the present address cancels: %v", err)
	}
	_, _, err = w.Links.Look(ctx, ConfirmEmail, second)
	wantCode(t, err, "invalid", "")

	// Somebody else got the address first.
	_, err = ask("new@example.com")
	fatal(t, err)
	_, err = w.unconfirmed(t, "carol", "new@example.com")
	fatal(t, err)
	_, err = w.confirm(t, alice, "new@example.com")
	wantCode(t, err, "conflict", "email")
	if u := w.fresh(t, alice); u.Email != alice.Email {
		t.Errorf("%+v", u)
	}
	w.advance(ClaimAfter)
	fatal(t, w.change(t, alice, "new@example.com"))
	if u := w.fresh(t, alice); u.Email != "new@example.com" || u.NewEmail != "" || len(u.FormerEmails) != 1 {
		t.Errorf("%+v", u)
	}
}

// However often a thief changes the address, the owner of the first one can restore it, and the owners of the thief's
// addresses can't.
func TestAChainOfChangesLosesNoWayBack(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	owner, err := w.Links.Make(ctx, alice, NotMe, alice.Email)
	fatal(t, err)
	var thief string
	for i := range formerEmails {
		address := fmt.Sprintf("thief%d@example.com", i)
		fatal(t, w.change(t, alice, address))
		if thief, err = w.Links.Make(ctx, w.fresh(t, alice), NotMe, address); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, w.change(t, alice, "more@example.com"), "conflict", "") // it would push out the first one
	if _, err := w.unconfirmed(t, "squatter", alice.Email); err != nil {
		t.Fatal(err) // the address is free, and nobody has to prove it to register with it
	}
	w.advance(UndoTime - time.Hour)

	_, _, err = w.Links.Look(ctx, ConfirmEmail, owner)
	wantCode(t, err, "invalid", "")
	u, address, err := w.Links.Use(ctx, NotMe, owner)
	fatal(t, err)
	if u, err = w.Addresses.PutBack(ctx, u, address); err != nil || u.Email != alice.Email || len(u.FormerEmails) != 0 {
		t.Fatalf("%v %+v", err, u)
	}
	for _, used := range []string{owner, thief} {
		_, _, err = w.Links.Look(ctx, NotMe, used)
		wantCode(t, err, "invalid", "")
	}
	squatter, err := w.Users.ByLogin(ctx, "squatter")
	fatal(t, err)
	if squatter.Address() != "" {
		t.Errorf("%+v", squatter)
	}
}

// A thief who controls a former address can't use it to end the ways back of the earlier addresses, and restoring an
// address gives no way back to later addresses.
func TestWaysBackEnd(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	fatal(t, w.change(t, alice, "second@example.com"))
	second, err := w.Links.Make(ctx, w.fresh(t, alice), NotMe, "second@example.com")
	fatal(t, err)
	first, err := w.Links.Make(ctx, w.fresh(t, alice), NotMe, alice.Email)
	fatal(t, err)
	fatal(t, w.change(t, alice, "third@example.com"))
	u, address, err := w.Links.Use(ctx, NotMe, second)
	fatal(t, err)
	_, err = w.Addresses.PutBack(ctx, u, address)
	fatal(t, err)
	if u := w.fresh(t, alice); u.Email != "second@example.com" || len(u.FormerEmails) != 1 {
		t.Errorf("%+v", u)
	}
	if _, _, err := w.Links.Look(ctx, NotMe, first); err != nil {
		t.Errorf("the first owner's way back is gone: %v", err)
	}
	fatal(t, w.change(t, alice, alice.Email))
	if u := w.fresh(t, alice); len(u.FormerEmails) != 0 {
		t.Errorf("%+v", u)
	}
	if u, err := w.unconfirmed(t, "carol", "carol@example.com"); err != nil {
		t.Fatal(err)
	} else if u, err = w.confirm(t, u, "carol@example.com"); err != nil || u.UnconfirmedSince != nil {
		t.Errorf("%v %+v", err, u)
	}
	// An address that was never confirmed may be a stranger's.
	bob, err := w.unconfirmed(t, "bob", "mistyped@example.com")
	fatal(t, err)
	fatal(t, w.change(t, bob, "bob@example.com"))
	if u := w.fresh(t, bob); len(u.FormerEmails) != 0 || u.UnconfirmedSince != nil {
		t.Errorf("%+v", u)
	}
	// After a week there is no way back.
	fatal(t, w.change(t, bob, "bob2@example.com"))
	w.advance(UndoTime)
	if _, err := w.Links.Make(ctx, w.fresh(t, bob), NotMe, "bob@example.com"); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("%v", err)
	}
}

func TestDevices(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	meet := func(u *User, recognised string) bool {
		isNew, err := w.Devices.Meet(ctx, u.ID, recognised)
		fatal(t, err)
		return isNew
	}
	for _, step := range []struct {
		user       *User
		recognised string
		isNew      bool
	}{{alice, "a", false}, {alice, "a", false}, {alice, "b", true}, {alice, "b", false}, {bob, "a", false}, {bob, "b", true}} {
		if got := meet(step.user, step.recognised); got != step.isNew {
			t.Errorf("%s at %s: new %v", step.user.Username, step.recognised, got)
		}
	}
	for i := range devicesPerUser {
		w.advance(time.Second)
		meet(alice, fmt.Sprint(i))
	}
	if all, err := w.Devices.devices.List(ctx, store.Where("user", alice.ID), nil, 0); err != nil || len(all) != devicesPerUser {
		t.Errorf("%d devices: %v", len(all), err)
	}
	if !meet(alice, "a") {
		t.Error("the oldest is still known")
	}
	fatal(t, w.Devices.Forget(ctx, alice.ID))
	if meet(alice, "a") || !meet(alice, "b") || meet(bob, "b") {
		t.Error("not forgotten, or of the wrong account")
	}
}
