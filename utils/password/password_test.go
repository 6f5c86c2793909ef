package password

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/trustelem/zxcvbn/frequency"
	"golang.org/x/crypto/bcrypt"

	"tokentube/utils/apperr"
	"tokentube/utils/fair"
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
	hash, err := h.Hash(t.Context(), password, Turn{})
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
		{"one's own email", "alice.wonder@example.com", "too easy"},
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

// The 3000 most common passwords that are long enough (ASVS 6.2.4).
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
			if got, err := h.Matches(t.Context(), stored, given, Turn{}); got != want || err != nil {
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
		if got, err := h.Matches(t.Context(), stored, longest+more, Turn{}); got || err != nil {
			t.Errorf("72 right bytes and %d more: %v, %v", len(more), got, err)
		}
	}
	if _, err := h.Hash(t.Context(), longest+"x", Turn{}); err == nil {
		t.Error("a password of 73 bytes was hashed")
	}
}

func TestUnknownUserNeverMatches(t *testing.T) {
	h := newHasher(t, bcrypt.MinCost+1)
	for _, given := range []string{good, "", "nobody's password"} {
		if got, err := h.Matches(t.Context(), "", given, Turn{}); got || err != nil {
			t.Errorf("%q: %v, %v", given, got, err)
		}
	}
	if got, err := h.Matches(t.Context(), "no hash at all", good, Turn{}); got || err == nil {
		t.Errorf("a damaged hash: %v, %v", got, err)
	}
}

func TestOutdated(t *testing.T) {
	four, five := newHasher(t, 4), newHasher(t, 5)
	stored := hash(t, four, good)
	if four.Outdated(stored) || !five.Outdated(stored) || !four.Outdated("no hash") {
		t.Error("Outdated does not tell the cost")
	}
	if ok, err := five.Matches(t.Context(), stored, good, Turn{}); !ok || err != nil {
		t.Errorf("a hash of another cost still matches: %v, %v", ok, err)
	}
}

func TestImpossibleCostIsAnError(t *testing.T) {
	if _, err := NewHasher(bcrypt.MaxCost + 1); err == nil {
		t.Error("no error")
	}
}

// An unknown name, and names whose hash has this cost, a lower or a higher one, take the same work: the time reveals to
// nobody which names exist.
func TestEveryComparisonIsTheSameWork(t *testing.T) {
	h := newHasher(t, 6)
	work := func(stored, given string) int64 {
		before := h.Work()
		if _, err := h.Matches(t.Context(), stored, given, Turn{}); err != nil {
			t.Fatal(err)
		}
		return h.Work() - before
	}
	all := map[string]string{"unknown": ""}
	for cost := 4; cost <= 6; cost++ {
		all[fmt.Sprint("of cost ", cost)] = hash(t, newHasher(t, cost), good)
	}
	for _, given := range []string{"wrong", good, "gru\u0308n and wrong"} {
		want := work("", given)
		for name, stored := range all {
			if got := work(stored, given); got != want || got%64 != 0 || got == 0 {
				t.Errorf("%s, %q: %d, want %d", name, given, got, want)
			}
		}
	}
	all["of cost 8"] = hash(t, newHasher(t, 8), good)
	work(all["of cost 8"], "wrong") // the first one seen
	for name, stored := range all {
		if got := work(stored, "wrong"); got != 256 {
			t.Errorf("%s, after a hash of cost 8 was met: %d", name, got)
		}
	}
	// The count is correct: dummies are hashes of the cost that they state.
	for cost := 4; cost <= 8; cost++ {
		if got, err := bcrypt.Cost([]byte(dummy(cost))); got != cost || err != nil || len(dummy(cost)) != len(all["of cost 8"]) {
			t.Errorf("the dummy of cost %d costs %d, %v", cost, got, err)
		}
		if err := bcrypt.CompareHashAndPassword([]byte(dummy(cost)), []byte(good)); !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
			t.Errorf("comparing with the dummy of cost %d: %v", cost, err)
		}
	}
}

// occupy takes all places.
func occupy(t *testing.T, h *Hasher) (leave func()) {
	t.Helper()
	var all []func()
	for range max(1, runtime.NumCPU()-1) {
		give, err := h.places.Take(t.Context(), "somebody at work")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, give)
	}
	return func() {
		for _, give := range all {
			give()
		}
	}
}

// No work is done for a client that disconnects while waiting, or whose turn may not begin.
func TestWhoeverIsGoneCostsNoWork(t *testing.T) {
	h := newHasher(t, bcrypt.MinCost)
	stored := hash(t, h, good)
	leave := occupy(t, h)
	before := h.Hashes()
	ctx, cancel := context.WithCancel(t.Context())
	turn := Turn{Of: []string{"a"}, Begin: func() error { t.Error("it began"); return nil }}
	failed := make(chan error, 3)
	for _, call := range []func() error{
		func() error { _, err := h.Hash(ctx, good, turn); return err },
		func() error { _, err := h.Matches(ctx, stored, good, turn); return err },
		func() error { _, err := h.Matches(ctx, "", good, turn); return err },
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
	leave()
	refuse := errors.New("not now")
	if _, err := h.Matches(t.Context(), stored, good, Turn{Begin: func() error { return refuse }}); !errors.Is(err, refuse) {
		t.Error(err)
	}
	if h.Hashes() != before {
		t.Errorf("%d were worked for", h.Hashes()-before)
	}
	if ok, err := h.Matches(t.Context(), stored, good, Turn{}); !ok || err != nil {
		t.Errorf("afterwards: %v, %v", ok, err)
	}
	occupy(t, h)() // all places have been given back
}

func TestMoreThanTheQueueHoldsIsRefusedAtOnce(t *testing.T) {
	h := newHasher(t, bcrypt.MinCost)
	stored := hash(t, h, good)
	leave := occupy(t, h)
	most := waiting * max(1, runtime.NumCPU()-1)
	storm, kind := Turn{Of: []string{"storm"}}, Turn{Of: []string{"somebody else"}}
	ended := make(chan error, most+100)
	before := h.Hashes()
	for range most + 100 {
		go func() { _, err := h.Matches(t.Context(), stored, good, storm); ended <- err }()
	}
	for range 100 {
		if err := <-ended; !errors.Is(err, fair.ErrFull) || !apperr.Is(err, apperr.Unavailable) || apperr.From(err).RetryAfter <= 0 {
			t.Fatalf("a full queue gives %v", err)
		}
	}
	if h.Hashes() != before {
		t.Error("those refused did work")
	}
	other := make(chan error)
	go func() { _, err := h.Matches(t.Context(), stored, good, kind); other <- err }()
	if err := <-ended; !errors.Is(err, fair.ErrFull) {
		t.Errorf("the last of the storm makes room: %v", err)
	}
	leave()
	if err := <-other; err != nil {
		t.Errorf("somebody else is kept out by the storm: %v", err)
	}
	for range most - 1 {
		if err := <-ended; err != nil {
			t.Errorf("one that waited: %v", err)
		}
	}
	if done := h.Hashes() - before; done != int64(most) {
		t.Errorf("%d hashes", done)
	}
}

// Judging a long password must not take longer than judging a short one: anybody can send one.
func TestOnlyTheBeginningOfALongPasswordIsJudged(t *testing.T) {
	if Check(strings.Repeat("a", 32)+"Xq7#vBn2 unguessable") == "" {
		t.Error("what comes after the first 32 bytes was judged")
	}
}

// bcrypt repeats its key: without care, P NUL P would match P.
func TestControlCharactersMatchNothing(t *testing.T) {
	h := newHasher(t, bcrypt.MinCost)
	stored := hash(t, h, good)
	for _, given := range []string{good + "\x00" + good, good + "\x00", "\x00" + good, good + "\n", good + "\t", good + "\u0085", good + "\x7f"} {
		if got, err := h.Matches(t.Context(), stored, given, Turn{}); got || err != nil {
			t.Errorf("%q: %v, %v", given, got, err)
		}
		if Check(given) == "" {
			t.Errorf("%q can be chosen", given)
		}
	}
	if got, err := h.Matches(t.Context(), hash(t, h, "tab\tin a password"), "tab\tin a password", Turn{}); got || err != nil {
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
		if got, err := h.Matches(t.Context(), test.stored, test.given, Turn{}); got != test.want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if !Same(composed, decomposed) || Same(composed, "other") {
		t.Error("Same is wrong")
	}
}
