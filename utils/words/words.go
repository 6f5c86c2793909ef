// Package words finds the words of a text, in the form in which words are compared: without accents, case, and the many
// ways to write one character.
//
// Does not belong here: what is searched, and how what was found is ranked (models).
package words

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// longest is how many characters of a word are kept. Longer words are compared by them alone.
const longest = 40

// foldings are letters that people type without the stroke, or as two.
var foldings = strings.NewReplacer("ß", "ss", "æ", "ae", "œ", "oe", "ø", "o", "đ", "d", "ð", "d", "ħ", "h", "ı", "i", "ł", "l", "ŧ", "t", "þ", "th")

// fold puts a text in the form in which it is compared.
func fold(text string) string {
	text = strings.Map(func(r rune) rune {
		if isAccent(r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r)) // upper first: two small letters may have one capital, as ς and σ
	}, norm.NFKD.String(text))
	return foldings.Replace(norm.NFKC.String(text))
}

// isAccent tells marks that may be left out. Those that make another letter, such as vowels in Indian scripts or the sounds
// of Japanese, may not.
func isAccent(r rune) bool {
	return unicode.Is(unicode.Mn, r) && unicode.In(r, unicode.Inherited, unicode.Hebrew) && r != '\u3099' && r != '\u309a'
}

// Of returns the words of a text in their order. Letters, digits and their marks make words; in scripts that put no spaces
// between words each character is one, and so is each emoji. All else lies between words.
func Of(text string) (list []string) {
	word := make([]rune, 0, longest)
	end := func() {
		if len(word) > 0 {
			list = append(list, string(word))
			word = word[:0]
		}
	}
	for _, r := range fold(text) {
		switch {
		case alone(r):
			end()
			list = append(list, string(r))
		case !joined(r):
			end()
		case len(word) < longest:
			word = append(word, r)
		}
	}
	end()
	return list
}

func alone(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) && unicode.IsLetter(r) || isSymbol(r)
}

// isSymbol tells emoji and their like.
func isSymbol(r rune) bool { return unicode.Is(unicode.So, r) && r != utf8.RuneError }

func joined(r rune) bool { return unicode.In(r, unicode.L, unicode.N, unicode.M) }

// Tag is a tag in the form in which tags are compared: "#" and its letters and digits. Without any it is empty.
func Tag(tag string) string {
	tag = strings.Map(func(r rune) rune {
		if joined(r) || isSymbol(r) {
			return r
		}
		return -1
	}, fold(tag))
	if tag == "" {
		return ""
	}
	if utf8.RuneCountInString(tag) > longest {
		tag = string([]rune(tag)[:longest])
	}
	return "#" + tag
}

var hashtags = regexp.MustCompile(`(?:^|[^\p{L}\p{M}\p{N}_#&/])#([\p{L}\p{M}\p{N}_]+)`)

// Tags are the #tags in a text.
func Tags(text string) (tags []string) {
	for _, found := range hashtags.FindAllStringSubmatch(text, -1) {
		if tag := Tag(found[1]); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
}

// Query is what somebody searches for.
type Query struct {
	Words  []string // each is to be there, in any order
	Prefix string   // and a word that begins with this
	Tags   []string // and these tags, exactly
}

// most is how many words and tags of a query are looked at.
const most = 8

// ParseQuery reads a query. The last word may be unfinished, if no tag comes after it.
func ParseQuery(text string) (q Query) {
	for part := range strings.FieldsSeq(text) {
		if tag := Tag(part); strings.HasPrefix(part, "#") {
			q.add(&q.Tags, tag)
			continue
		}
		for _, word := range Of(part) {
			q.add(&q.Words, word)
		}
	}
	if n := len(q.Words); n > 0 && !strings.HasPrefix(lastField(text), "#") {
		q.Prefix, q.Words = q.Words[n-1], q.Words[:n-1]
	}
	return q
}

func lastField(text string) string {
	fields := strings.Fields(text)
	return fields[len(fields)-1]
}

func (q *Query) add(to *[]string, word string) {
	if word != "" && len(q.Words)+len(q.Tags) < most && !slices.Contains(*to, word) {
		*to = append(*to, word)
	}
}

// Empty tells a query that has no words.
func (q Query) Empty() bool { return len(q.Words) == 0 && len(q.Tags) == 0 && q.Prefix == "" }
