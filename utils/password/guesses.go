package password

import (
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/trustelem/zxcvbn/adjacency"
	"github.com/trustelem/zxcvbn/frequency"
	"github.com/trustelem/zxcvbn/match"
	"github.com/trustelem/zxcvbn/scoring"
)

// guesses is the maximum number of guesses that a password takes for somebody who first tries common words, names of
// the user, adjacent keys, dates and the like. The word lists and the arithmetic are zxcvbn's; the search for patterns
// is here, because zxcvbn's package for that keeps 12 MB of maps. It finds at least everything that zxcvbn finds; a
// test compares the two.
func guesses(password string, names ...string) float64 {
	j := &judge{letters: map[rune]byte{}, known: map[string]float64{}}
	password = j.encode(password)
	for _, name := range names {
		j.names = append(j.names, strings.ToLower(j.encode(name)))
	}
	return j.guesses(password)
}

// judge examines one password.
type judge struct {
	letters map[rune]byte // substitutes for letters beyond ASCII
	names   []string
	known   map[string]float64 // pieces that have already been judged
}

// encode maps each character to one byte: letters beyond ASCII become control characters, which passwords never
// contain.
func (j *judge) encode(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < unicode.MaxASCII {
			b.WriteByte(byte(r))
			continue
		}
		r = unicode.ToLower(r)
		if _, known := j.letters[r]; !known {
			j.letters[r] = byte(min(len(j.letters)+1, ' '-1)) // a password that is judged has at most 16 of them
		}
		b.WriteByte(j.letters[r])
	}
	return b.String()
}

func (j *judge) guesses(p string) float64 {
	if known, ok := j.known[p]; ok {
		return known
	}
	j.known[p] = scoring.MostGuessableMatchSequence(p, slices.Concat(
		j.words(p), j.reversed(p), j.disguised(p), keys(p), j.repeats(p), sequences(p), years(p), dates(p)), false).Guesses
	return j.known[p]
}

// words are all substrings that are in the lists.
func (j *judge) words(p string) (found []*match.Match) {
	lower := strings.ToLower(p)
	for i := range lower {
		for end := i + 1; end <= len(lower); end++ {
			if rank := j.rank(lower[i:end]); rank > 0 {
				found = append(found, &match.Match{Pattern: "dictionary", I: i, J: end - 1, Token: p[i:end], MatchedWord: lower[i:end], Rank: rank})
			}
		}
	}
	return found
}

func (j *judge) rank(word string) int {
	if i := slices.Index(j.names, word); i >= 0 {
		return i + 1
	}
	return wordList().rank(word)
}

// reversed are words typed backwards.
func (j *judge) reversed(p string) []*match.Match {
	backwards := []byte(p)
	slices.Reverse(backwards)
	found := j.words(string(backwards))
	for _, m := range found {
		m.I, m.J, m.Reversed = len(p)-1-m.J, len(p)-1-m.I, true
		m.Token = p[m.I : m.J+1]
	}
	return found
}

// disguises are characters and the letters that each can replace.
var disguises = []struct {
	char    byte
	letters string
}{
	{'@', "a"}, {'4', "a"}, {'3', "e"}, {'1', "il"}, {'!', "i"}, {'|', "il"}, {'0', "o"}, {'$', "s"}, {'5', "s"}, {'7', "tl"}, {'+', "t"},
	{'8', "b"}, {'(', "c"}, {'{', "c"}, {'[', "c"}, {'<', "c"}, {'6', "g"}, {'9', "g"}, {'%', "x"}, {'2', "z"},
}

const mostReadings = 64

// readings are the ways to read a password with disguised letters: every disguise as a letter and, if two disguises
// stand for the same letter, also with one of them taken literally ("formul@_4").
func readings(p string) []map[byte]byte {
	all, stands := []map[byte]byte{{}}, map[rune]int{}
	for _, d := range disguises {
		if strings.IndexByte(p, d.char) >= 0 {
			for _, letter := range d.letters {
				stands[letter]++
			}
		}
	}
	for _, d := range disguises {
		if strings.IndexByte(p, d.char) < 0 {
			continue
		}
		var next []map[byte]byte
		for _, letter := range d.letters {
			for _, r := range all {
				r = maps.Clone(r)
				r[d.char] = byte(letter)
				next = append(next, r)
			}
		}
		if strings.ContainsFunc(d.letters, func(letter rune) bool { return stands[letter] > 1 }) {
			next = append(next, all...)
		}
		all = next[:min(len(next), mostReadings)]
	}
	return all
}

// disguised are words with characters in place of letters.
func (j *judge) disguised(p string) (found []*match.Match) {
	for _, r := range readings(p) {
		read := []byte(p)
		for i := range read {
			if letter, ok := r[read[i]]; ok {
				read[i] = letter
			}
		}
		for _, m := range j.words(string(read)) {
			m.Token, m.L33t, m.Sub = p[m.I:m.J+1], true, map[string]string{}
			for c, letter := range r {
				if strings.IndexByte(m.Token, c) >= 0 {
					m.Sub[string(c)] = string(letter)
				}
			}
			if len(m.Token) > 1 && len(m.Sub) > 0 {
				found = append(found, m)
			}
		}
	}
	return found
}

const shifted = `~!@#$%^&*()_+QWERTYUIOP{}|ASDFGHJKL:"ZXCVBNM<>?`

// keys are three or more adjacent keys on a keyboard.
func keys(p string) (found []*match.Match) {
	for name, graph := range adjacency.Graphs {
		for i := 0; i < len(p)-1; {
			m := &match.Match{Pattern: "spatial", Graph: name, I: i}
			if (name == "qwerty" || name == "dvorak") && strings.IndexByte(shifted, p[i]) >= 0 {
				m.ShiftedCount = 1
			}
			end, last := i+1, -1
			for ; end < len(p); end++ {
				direction := slices.IndexFunc(graph.Graph[p[end-1:end]], func(key string) bool { return strings.IndexByte(key, p[end]) >= 0 })
				if direction < 0 {
					break
				}
				if graph.Graph[p[end-1:end]][direction][0] != p[end] {
					m.ShiftedCount++
				}
				if direction != last {
					m.Turns++
					last = direction
				}
			}
			if m.J, m.Token = end-1, p[i:end]; end-i > 2 {
				found = append(found, m)
			}
			i = end
		}
	}
	return found
}

// repeats are pieces that are repeated.
func (j *judge) repeats(p string) (found []*match.Match) {
	for i := range p {
		for size := 1; i+2*size <= len(p); size++ {
			base, n := p[i:i+size], 1
			for strings.HasPrefix(p[i+n*size:], base) {
				n++
			}
			if n > 1 {
				end := i + n*size
				found = append(found, &match.Match{Pattern: "repeat", I: i, J: end - 1, Token: p[i:end],
					BaseToken: base, BaseGuesses: j.guesses(base), RepeatCount: n})
			}
		}
	}
	return found
}

// sequences are characters with a constant distance: abc, 97531.
func sequences(p string) (found []*match.Match) {
	step := func(i int) int { return int(p[i]) - int(p[i-1]) }
	for i := 1; i < len(p); {
		start, d := i-1, step(i)
		for i++; i < len(p) && step(i) == d; i++ {
		}
		if size := max(d, -d); p[start] >= ' ' && (size == 1 || size > 1 && size <= 5 && i-start > 2) {
			found = append(found, &match.Match{Pattern: "sequence", I: start, J: i - 1, Token: p[start:i], Ascending: d > 0})
		}
	}
	return found
}

// years are those of the last and of this century.
func years(p string) (found []*match.Match) {
	for i := 0; i+4 <= len(p); i++ {
		if y, ok := number(p[i : i+4]); ok && y >= 1900 && y < 2100 {
			found = append(found, &match.Match{Pattern: "regex", RegexName: "recent_year", I: i, J: i + 3, Token: p[i : i+4]})
		}
	}
	return found
}

// dates are a day and a month with a year first or last, with or without separators.
func dates(p string) (found []*match.Match) {
	add := func(i, a, b, c int, separator string) {
		first, end := i+a, i+a+b+c+2*len(separator)
		if end > len(p) || p[first:first+len(separator)] != separator || p[end-c-len(separator):end-c] != separator {
			return
		}
		x, ok1 := number(p[i:first])
		y, ok2 := number(p[first+len(separator) : end-c-len(separator)])
		z, ok3 := number(p[end-c : end])
		for _, d := range [][2]int{{z, x}, {x, z}} {
			if ok1 && ok2 && ok3 && yearLike(d[0]) && dayAndMonth(d[1], y) {
				found = append(found, &match.Match{Pattern: "date", I: i, J: end - 1, Token: p[i:end], Separator: separator, Year: fullYear(d[0])})
			}
		}
	}
	for i := range p {
		for a := 1; a <= 4; a++ {
			for b := 1; b <= 2; b++ {
				for c := 1; c <= 4; c++ {
					if a+b+c >= 4 && a+b+c <= 8 {
						add(i, a, b, c, "")
					}
					if i+a < len(p) && strings.IndexByte(" /\\_.-", p[i+a]) >= 0 {
						add(i, a, b, c, p[i+a:i+a+1])
					}
				}
			}
		}
	}
	return found
}

func yearLike(y int) bool       { return y < 100 || y >= 1000 && y <= 2050 }
func dayAndMonth(a, b int) bool { return isDay(a) && isMonth(b) || isDay(b) && isMonth(a) }
func isDay(d int) bool          { return d >= 1 && d <= 31 }
func isMonth(m int) bool        { return m >= 1 && m <= 12 }
func number(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = 10*n + int(s[i]-'0')
	}
	return n, true
}

func fullYear(y int) int {
	switch {
	case y > 99:
		return y
	case y > 50:
		return 1900 + y
	}
	return 2000 + y
}

// wordIndex finds words in zxcvbn's lists, which are part of the executable. It takes 1 MB, while maps of the lists
// would take 12.
type wordIndex struct {
	seed  maphash.Seed
	lists [][]string
	slots []uint32 // hash table with linear probing: list << 24 | position + 1
}

const indexSlots = 1 << 18

// wordList is built when the first password is chosen.
var wordList = sync.OnceValue(func() *wordIndex {
	w := &wordIndex{seed: maphash.MakeSeed(), slots: make([]uint32, indexSlots)}
	for _, list := range frequency.FrequencyLists {
		w.lists = append(w.lists, list)
	}
	for n, list := range w.lists {
		for i, word := range list {
			if slot, rank := w.find(word); rank == 0 || i+1 < rank {
				w.slots[slot] = uint32(n<<24 | i + 1)
			}
		}
	}
	return w
})

// rank is the word's rank in the list in which it is most common, or 0.
func (w *wordIndex) rank(word string) int {
	_, rank := w.find(word)
	return rank
}

func (w *wordIndex) find(word string) (slot uint64, rank int) {
	for slot = maphash.String(w.seed, word) % indexSlots; w.slots[slot] != 0; slot = (slot + 1) % indexSlots {
		list, i := w.slots[slot]>>24, int(w.slots[slot]&(1<<24-1))
		if w.lists[list][i-1] == word {
			return slot, i
		}
	}
	return slot, 0
}
