package password

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"github.com/trustelem/zxcvbn"
	"github.com/trustelem/zxcvbn/frequency"
)

// Whatever zxcvbn considers easy to guess is easy here: common passwords and words, backwards and disguised, names,
// adjacent keys, repeats, sequences and dates, and combinations of them.
func TestGuessesAreNoMoreThanThoseOfZxcvbn(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"alice.wonder", "alice.wonder@example.com", "Zoë Müller"}
	var words []string
	for _, list := range frequency.FrequencyLists {
		words = append(words, list...)
	}
	word := func() string { return words[r.IntN(len(words))] }
	disguise := strings.NewReplacer("a", "4", "e", "3", "i", "1", "o", "0", "s", "$", "t", "7", "l", "|")
	pieces := []func() string{
		word,
		func() string { return frequency.FrequencyLists["passwords"][r.IntN(3000)] },
		func() string { return strings.ToUpper(word()) },
		func() string { w := word(); return strings.ToUpper(w[:1]) + w[1:] },
		func() string { return disguise.Replace(word()) },
		func() string { return strings.ReplaceAll(word(), "a", "@") },
		func() string {
			b := []rune(word())
			for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
				b[i], b[j] = b[j], b[i]
			}
			return string(b)
		},
		func() string { return names[r.IntN(3)] },
		func() string { return fmt.Sprint(r.IntN(10000)) },
		func() string { return fmt.Sprintf("%d.%d.%d", 1+r.IntN(31), 1+r.IntN(12), 1940+r.IntN(100)) },
		func() string { return fmt.Sprintf("%04d%02d%02d", 1940+r.IntN(100), 1+r.IntN(12), 1+r.IntN(31)) },
		func() string { return fmt.Sprintf("%d/%d/%02d", 1+r.IntN(12), 1+r.IntN(31), r.IntN(100)) },
		func() string {
			return []string{"qwerty", "asdfgh", "zxcvbnm", "!QAZ2wsx", "poiuyt", "147258", "qazwsx", "ASDFghjk"}[r.IntN(8)]
		},
		func() string { return []string{"abcdef", "fedcba", "13579", "aceg", "987654", "XYZ"}[r.IntN(6)] },
		func() string { return strings.Repeat(string(rune('!'+r.IntN(90))), 2+r.IntN(5)) },
		func() string { return strings.Repeat(word(), 2) },
		func() string { return string(rune('!' + r.IntN(90))) },
		func() string { return []string{"é", "ü", "あ", "Ж"}[r.IntN(4)] },
	}
	n, easier, stricter := 6_000, 0, 0
	if testing.Short() {
		n = 1_000
	}
	for range n {
		password := ""
		for range 1 + r.IntN(3) {
			password += pieces[r.IntN(len(pieces))]()
		}
		password = strings.ToValidUTF8(password[:min(len(password), judged)], "")
		theirs, ours := zxcvbn.PasswordStrength(password, names).Guesses, guesses(password, names...)
		if ascii := strings.IndexFunc(password, func(r rune) bool { return r > unicode.MaxASCII }) < 0; theirs < fewest && ours >= fewest && ascii {
			t.Errorf("%q: %.0f guesses, and %.0f by zxcvbn", password, ours, theirs)
		}
		if theirs < fewest {
			easier++
		} else if ours < fewest {
			stricter++
		}
	}
	t.Logf("%d of %d are easy to guess for zxcvbn, %d more here", easier, n, stricter)
	if ours := guesses("formul@_48"); ours >= fewest {
		t.Errorf("a digit in a word beside a disguise: %.0f guesses", ours)
	}
	if easier < n/10 || stricter > n/20 {
		t.Errorf("%d of %d are easy to guess for zxcvbn, %d more here", easier, n, stricter)
	}
}

// No good password is rejected: random ones, and random words, in any script.
func TestHardPasswordsAreTaken(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	letters := map[string][]rune{"ASCII": []rune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&*+-=?@_"),
		"Japanese": []rune("あいうえおかきくけこさしすせそたちつてと"), "Cyrillic": []rune("абвгдежзийклмнопрстуфхцчшщ")}
	for name, of := range letters {
		for range 500 {
			var b strings.Builder
			for range 12 {
				b.WriteRune(of[r.IntN(len(of))])
			}
			if fault := Check(b.String(), "alice"); fault != "" {
				t.Errorf("%s: %s: %s", name, b.String(), fault)
			}
		}
	}
}

func TestWordsAreFoundAtTheirBestRank(t *testing.T) {
	best := map[string]int{}
	for _, list := range frequency.FrequencyLists {
		for i, word := range list {
			if word != strings.ToLower(word) {
				t.Fatalf("%s is not in lower case", word)
			}
			if rank, known := best[word]; !known || i+1 < rank {
				best[word] = i + 1
			}
		}
	}
	for word, rank := range best {
		if got := wordList().rank(word); got != rank || wordList().rank(word+"\x00") != 0 {
			t.Fatalf("%s has rank %d, not %d", word, got, rank)
		}
	}
}

// BenchmarkGuesses is the cost of judging a password: a typical one, and some designed to take long.
func BenchmarkGuesses(b *testing.B) {
	for name, password := range map[string]string{
		"usual": "correct horse battery staple", "disguises": "4@831!|0$57+({[<69%24@831!|0$57+", "one letter": strings.Repeat("a", 32), "digits": "12071998120719981207199812071998",
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				guesses(password, "alice.wonder", "alice.wonder@example.com")
			}
		})
	}
}
