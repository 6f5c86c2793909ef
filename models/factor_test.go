package models

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokentube/utils/apperr"
)

// The codes are those of RFC 6238, appendix B (the last six digits of eight).
func TestCodesAreThoseOfTheStandard(t *testing.T) {
	a := &Authenticator{Secret: unpadded.EncodeToString([]byte("12345678901234567890"))}
	for at, code := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if step, ok := a.step(code, time.Unix(at, 0)); !ok || step != at/30 {
			t.Errorf("at %d, %s is of step %d: %v", at, code, step, ok)
		}
	}
}

func TestAuthenticator(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	abandoned, err := w.Factors.BeginAuthenticator(ctx, alice.ID)
	fatal(t, err)
	a, err := w.Factors.BeginAuthenticator(ctx, alice.ID)
	fatal(t, err)
	count := func() int64 {
		u, err := w.Users.ByID(ctx, alice.ID)
		fatal(t, err)
		return u.FactorsCount
	}
	for _, code := range []string{"", "000000", "12345", "1234567", abandoned.codeAt(t, w.now()), strings.Repeat("1", 1000)} {
		if code == a.codeAt(t, w.now()) {
			continue
		}
		_, err = w.Factors.ConfirmAuthenticator(ctx, alice.ID, code)
		wantCode(t, err, apperr.Invalid, "code")
	}
	wantCode(t, w.Factors.UseAuthenticator(ctx, alice.ID, a.codeAt(t, w.now())), apperr.Invalid, "code") // it is not active yet
	if n := count(); n != 0 {
		t.Errorf("%d factors count before they are confirmed", n)
	}
	codes, err := w.Factors.ConfirmAuthenticator(ctx, alice.ID, " "+a.codeAt(t, w.now())[:3]+" "+a.codeAt(t, w.now())[3:])
	fatal(t, err)
	if len(codes) != codesAtOnce || count() != 1 {
		t.Errorf("%d codes, %d factors", len(codes), count())
	}
	_, err = w.Factors.ConfirmAuthenticator(ctx, alice.ID, a.codeAt(t, w.now()))
	wantCode(t, err, apperr.Conflict, "")
	_, err = w.Factors.BeginAuthenticator(ctx, alice.ID)
	wantCode(t, err, apperr.Conflict, "")

	wantCode(t, w.Factors.UseAuthenticator(ctx, alice.ID, a.codeAt(t, w.now())), apperr.Invalid, "code") // it was used to confirm the app
	wantCode(t, w.Factors.UseAuthenticator(ctx, bob.ID, a.codeAt(t, w.now())), apperr.Invalid, "code")
	w.advance(10 * time.Minute)
	for _, away := range []time.Duration{-2, 2} {
		wantCode(t, w.Factors.UseAuthenticator(ctx, alice.ID, a.codeAt(t, w.now().Add(away*codeStep))), apperr.Invalid, "code")
	}
	for _, away := range []time.Duration{-1, 0, 1} {
		fatal(t, w.Factors.UseAuthenticator(ctx, alice.ID, a.codeAt(t, w.now().Add(away*codeStep))))
	}
	for _, away := range []time.Duration{-1, 0, 1} { // neither again, nor an older one after a newer one
		wantCode(t, w.Factors.UseAuthenticator(ctx, alice.ID, a.codeAt(t, w.now().Add(away*codeStep))), apperr.Invalid, "code")
	}

	for _, want := range []bool{true, false} {
		removed, err := w.Factors.RemoveAuthenticator(ctx, alice.ID)
		fatal(t, err)
		left, err := w.Factors.CodesLeft(ctx, alice.ID)
		fatal(t, err)
		if removed != want || count() != 0 || left != 0 {
			t.Errorf("removed: %v, %d factors, %d codes left", removed, count(), left)
		}
	}
	w.advance(10 * time.Minute)
	wantCode(t, w.Factors.UseAuthenticator(ctx, alice.ID, a.codeAt(t, w.now())), apperr.Invalid, "code")
	_, err = w.Factors.RenewCodes(ctx, alice.ID)
	wantCode(t, err, apperr.Conflict, "")
}

// Of several simultaneous uses of one code, one succeeds.
func TestACodeIsUsedOnceAtOnce(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	a, codes := w.factor(t, alice)
	w.advance(time.Minute)
	for name, use := range map[string]func() error{
		"the app's":  func() error { return w.Factors.UseAuthenticator(ctx, alice.ID, a.codeAt(t, w.now())) },
		"a recovery": func() error { _, err := w.Factors.UseRecoveryCode(ctx, alice.ID, codes[3]); return err },
	} {
		var won, lost atomic.Int32
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				switch err := use(); {
				case err == nil:
					won.Add(1)
				case apperr.Is(err, apperr.Invalid):
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 || lost.Load() != 15 {
			t.Errorf("%s code: %d succeed, %d are refused", name, won.Load(), lost.Load())
		}
	}
}

func TestRecoveryCodes(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	_, codes := w.factor(t, alice)
	_, others := w.factor(t, bob)
	use := func(code string) (int, error) { return w.Factors.UseRecoveryCode(ctx, alice.ID, code) }
	for _, code := range []string{"", "-", codes[0][:10], codes[0] + codes[1], others[0], strings.Repeat("A", 24)} {
		_, err := use(code)
		wantCode(t, err, apperr.Invalid, "code")
	}
	asTyped := strings.NewReplacer("-", " ", "O", "0", "I", "1", "B", "8").Replace(strings.ToLower(codes[0]))
	if left, err := use(asTyped); err != nil || left != 9 {
		t.Errorf("%q: %d left: %v", asTyped, left, err)
	}
	_, err := use(codes[0])
	wantCode(t, err, apperr.Invalid, "code")
	renewed, err := w.Factors.RenewCodes(ctx, alice.ID)
	fatal(t, err)
	_, err = use(codes[1])
	wantCode(t, err, apperr.Invalid, "code")
	if left, err := use(renewed[9]); err != nil || left != 9 {
		t.Errorf("%d left: %v", left, err)
	}
	if n, err := w.Factors.CodesLeft(ctx, bob.ID); err != nil || n != 10 {
		t.Errorf("bob has %d left: %v", n, err)
	}
	seen := map[string]bool{}
	for _, code := range append(codes, renewed...) {
		if seen[code] || len(typed(code)) != codeLength || !IsRecoveryCode(code) {
			t.Errorf("%s is there twice, or short", code)
		}
		seen[code] = true
	}
	if IsRecoveryCode("123456") || IsRecoveryCode("") {
		t.Error("a short code is taken for a recovery code")
	}
}
