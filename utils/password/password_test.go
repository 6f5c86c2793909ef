package password

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/trustelem/zxcvbn/frequency"
	"golang.org/x/crypto/bcrypt"

	"tokentube/utils/apperr"
)

const good = "correct horse battery staple"

func newHasher(t *testing.T, cost int) *Hasher {
	t.Helper()
	h, err := NewHasher(cost)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func hash(t *testing.T, h *Hasher, password string) string {
	t.Helper()
	hash, err := h.Hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func TestCheck(t *testing.T) {
	random := "q7#Vw!zK9pXe2@Lm4^Rt6&Yb8*Nc1(Hd3)Jf5_Gs0+Ua-Oi=Eq[Tw]Pz{Bx}Cv:Mn;AkQz" // 70 bytes
	for _, test := range []struct {
		name, password, says string
	}{
		{"empty", "", "at least 8"},
		{"7 bytes", "q7#Vw!z", "at least 8"},
		{"8 bytes", "q7#Vw!zK", ""},
		{"14 bytes in 7 letters", "ßÖçñøłž", "at least 8"},
		{"8 letters of 2 bytes", "ßÖçñøłžđ", ""},
		{"the site's own name", "TokenTube2026", "too easy"},
		{"what the site is about", "refresh token", "too easy"},
		{"72 bytes", random + "xy", ""},
		{"73 bytes", random + "xyz", "at most 72 bytes"},
		{"72 bytes in 71 letters", random[:69] + "xé", ""},
		{"73 bytes in 72 letters", random + "xé", "at most 72 bytes"},
		{"25 letters of 3 bytes", strings.Repeat("あ", 25), "at most 72 bytes"},
		{"very long", strings.Repeat(random, 10000), "at most 72 bytes"},
		{"a common one", "password1", "too easy"},
		{"keys in a row", "qwertyuiop", "too easy"},
		{"one letter", "aaaaaaaaaaaa", "too easy"},
		{"one's own name", "alice.wonder", "too easy"},
		{"one's own e-mail", "alice.wonder@example.com", "too easy"},
		{"white space around", "  correct horse battery staple  ", ""},
		{"words without rules", good, ""},
	} {
		got := Check(test.password, "alice.wonder", "alice.wonder@example.com")
		if (test.says == "") != (got == "") || !strings.Contains(got, test.says) {
			t.Errorf("%s: %q, want %q", test.name, got, test.says)
		}
	}
	if got := Check("alice.wonder"); got != "" {
		t.Errorf("somebody else's name: %q", got)
	}
}

// The 3000 most common of the passwords that are long enough (ASVS 6.2.4).
func TestCommonPasswordsAreRefused(t *testing.T) {
	n := 0
	for _, password := range frequency.FrequencyLists["passwords"] {
		if len(password) < shortest || n == 3000 {
			continue
		}
		n++
		if Check(password) == "" {
			t.Errorf("%s is taken", password)
		}
	}
	if n < 3000 {
		t.Errorf("only %d were tried", n)
	}
}

func TestRightPasswordAloneMatches(t *testing.T) {
	h := newHasher(t, bcrypt.MinCost)
	longest := strings.Repeat("0123456789ab", 6)
	for _, password := range []string{good, " with spaces ", "pässwörter sind schön", longest} {
		stored := hash(t, h, password)
		if stored == hash(t, h, password) {
			t.Error("two hashes of one password are the same: no salt")
		}
		for given, want := range map[string]bool{password: true, password + "x": false, strings.TrimSpace(password) + " ": false, strings.ToUpper(password): false, "": false} {
			if given == password {
				want = true
			}
			if got, err := h.Matches(t.Context(), stored, given); got != want || err != nil {
				t.Errorf("%q for %q: %v, %v", given, password, got, err)
			}
		}
	}
}

func TestWhatFollowsTheSeventySecondByteCounts(t *testing.T) {
	h := newHasher(t, bcrypt.MinCost)
	longest := strings.Repeat("0123456789ab", 6)
	stored := hash(t, h, longest)
	for _, more := range []string{"x", "\x00", strings.Repeat("x", 1<<20)} {
		if got, err := h.Matches(t.Context(), stored, longest+more); got || err != nil {
			t.Errorf("72 right bytes and %d more: %v, %v", len(more), got, err)
		}
	}
	if _, err := h.Hash(t.Context(), longest+"x"); err == nil {
		t.Error("a password of 73 bytes was hashed")
	}
}

func TestUnknownUserNeverMatches(t *testing.T) {
	h := newHasher(t, bcrypt.MinCost+1)
	for _, given := range []string{good, "", "nobody's password"} {
		if got, err := h.Matches(t.Context(), "", given); got || err != nil {
			t.Errorf("%q: %v, %v", given, got, err)
		}
	}
	// The work is that of a real hash: same algorithm, same cost.
	if cost, err := bcrypt.Cost(h.dummy); err != nil || cost != bcrypt.MinCost+1 || len(h.dummy) != len(hash(t, h, good)) {
		t.Errorf("the stand-in has cost %d, %v", cost, err)
	}
	if got, err := h.Matches(t.Context(), "no hash at all", good); got || err == nil {
		t.Errorf("a damaged hash: %v, %v", got, err)
	}
}

func TestOutdated(t *testing.T) {
	four, five := newHasher(t, 4), newHasher(t, 5)
	stored := hash(t, four, good)
	if four.Outdated(stored) || !five.Outdated(stored) || !four.Outdated("no hash") {
		t.Error("Outdated does not tell the cost")
	}
	if ok, err := five.Matches(t.Context(), stored, good); !ok || err != nil {
		t.Errorf("a hash of another cost still matches: %v, %v", ok, err)
	}
}

func TestImpossibleCostIsAnError(t *testing.T) {
	if _, err := NewHasher(bcrypt.MaxCost + 1); err == nil {
		t.Error("no error")
	}
}

func TestFullQueueGivesUnavailable(t *testing.T) {
	h := newHasher(t, bcrypt.MinCost)
	stored := hash(t, h, good)
	slots := int64(max(1, runtime.NumCPU()-1))
	if !h.slots.TryAcquire(slots) || h.slots.TryAcquire(1) {
		t.Fatalf("there are not %d slots", slots)
	}
	// A context that ends while the caller waits.
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 3)
	for _, call := range []func() error{
		func() error { _, err := h.Hash(ctx, good); return err },
		func() error { _, err := h.Matches(ctx, stored, good); return err },
		func() error { _, err := h.Matches(ctx, "", good); return err },
	} {
		go func() { failed <- call() }()
	}
	cancel()
	for range 3 {
		err := <-failed
		if e := apperr.From(err); e.Code != apperr.Unavailable || e.RetryAfter <= 0 || !errors.Is(err, context.Canceled) {
			t.Errorf("a full queue gives %v, %+v", err, e)
		}
	}
	h.slots.Release(slots)
	if ok, err := h.Matches(t.Context(), stored, good); !ok || err != nil {
		t.Errorf("afterwards: %v, %v", ok, err)
	}
	if !h.slots.TryAcquire(slots) {
		t.Error("a slot was not given back")
	}
}

func TestMoreThanTheQueueHoldsIsRefusedAtOnce(t *testing.T) {
	h := newHasher(t, bcrypt.MinCost)
	stored := hash(t, h, good)
	slots := int64(max(1, runtime.NumCPU()-1))
	if !h.slots.TryAcquire(slots) {
		t.Fatal("the slots are not free")
	}
	h.inside.Add(slots) // as if they were at work
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, h.most)
	for range slots * waiting {
		go func() { _, err := h.Matches(ctx, stored, good); ended <- err }()
	}
	for h.inside.Load() < h.most {
		runtime.Gosched()
	}
	before := h.Hashes()
	for range 100 {
		if _, err := h.Matches(ctx, "", good); !apperr.Is(err, apperr.Unavailable) || apperr.From(err).RetryAfter <= 0 || errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("a full queue gives %v", err)
		}
	}
	if h.Hashes() != before || h.inside.Load() != h.most {
		t.Error("those refused did work, or were left in the queue")
	}
	h.slots.Release(slots)
	for range slots * waiting {
		if err := <-ended; err != nil {
			t.Errorf("one that waited: %v", err)
		}
	}
	if h.Hashes() != before+slots*waiting || h.inside.Load() != slots {
		t.Errorf("%d hashes, %d inside", h.Hashes()-before, h.inside.Load())
	}
}

// Judging a long password must not take longer than judging a short one: anybody
// can send one.
func TestOnlyTheBeginningOfALongPasswordIsJudged(t *testing.T) {
	if Check(strings.Repeat("a", 32)+"Xq7#vBn2 unguessable") == "" {
		t.Error("what comes after the first 32 bytes was judged")
	}
}

// bcrypt repeats its key: without care, P NUL P opens what P does.
func TestControlCharactersMatchNothing(t *testing.T) {
	h := newHasher(t, bcrypt.MinCost)
	stored := hash(t, h, good)
	for _, given := range []string{good + "\x00" + good, good + "\x00", "\x00" + good, good + "\n", good + "\t", good + "\u0085", good + "\x7f"} {
		if got, err := h.Matches(t.Context(), stored, given); got || err != nil {
			t.Errorf("%q: %v, %v", given, got, err)
		}
		if Check(given) == "" {
			t.Errorf("%q can be chosen", given)
		}
	}
	if got, err := h.Matches(t.Context(), hash(t, h, "tab\tin a password"), "tab\tin a password"); got || err != nil {
		t.Errorf("one that was stored: %v, %v", got, err)
	}
}

func TestOnePasswordInAnyUnicodeForm(t *testing.T) {
	h := newHasher(t, bcrypt.MinCost)
	composed, decomposed := "gr\u00fcne \u00c5pfel im Mai", "gru\u0308ne A\u030apfel im Mai"
	old, err := bcrypt.GenerateFromPassword([]byte(decomposed), bcrypt.MinCost) // from before passwords were normalised
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		stored, given string
		want          bool
	}{
		"composed, decomposed":   {hash(t, h, composed), decomposed, true},
		"decomposed, composed":   {hash(t, h, decomposed), composed, true},
		"as it was stored once":  {string(old), decomposed, true},
		"another accent":         {hash(t, h, composed), "gru\u0302ne A\u030apfel im Mai", false},
		"no accent":              {hash(t, h, composed), "grune Apfel im Mai", false},
		"compatible, not equal":  {hash(t, h, "office in the sky"), "o\ufb03ce in the sky", false},
		"72 bytes only composed": {hash(t, h, strings.Repeat("\u00fc", 36)), strings.Repeat("u\u0308", 36), true},
	} {
		if got, err := h.Matches(t.Context(), test.stored, test.given); got != test.want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if !Same(composed, decomposed) || Same(composed, "other") {
		t.Error("Same is wrong")
	}
}
