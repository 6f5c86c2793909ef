// Package autolink turns text that users wrote into HTML in which URLs, @names and #tags are links.
//
// Does not belong here: other markup. Everything else that a user types is shown as typed.
package autolink

import (
	"html/template"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// candidates match potential links. A URL ends before a space, a quotation mark, or an invisible character: one that
// changes the direction of the text could disguise a link as another one.
var candidates = regexp.MustCompile(`(?i)(?:https?://|www\.)[^\s\p{Z}\p{C}<>"]+|@[a-z0-9_.-]+|#[\p{L}\p{M}\p{N}_]+`)

const (
	minName, maxName = 3, 30 // of users
	maxTag           = 30
)

// HTML escapes the text and adds links. Links to other sites carry rel attributes that say that they are not ours. Each
// piece of text is passed through show.
func HTML(text string, show func(string) string) template.HTML {
	var b strings.Builder
	piece := func(text string) { b.WriteString(template.HTMLEscapeString(show(text))) }
	end := 0
	each(text, func(at int, shown, href string) {
		piece(text[end:at])
		b.WriteString(`<a href="` + template.HTMLEscapeString(href) + `"`)
		if href[0] != '/' {
			b.WriteString(` rel="nofollow ugc noopener"`)
		}
		b.WriteString(`><bdi>`)
		piece(shown)
		b.WriteString(`</bdi></a>`)
		end = at + len(shown)
	})
	piece(text[end:])
	return template.HTML(b.String()) // #nosec G203 -- everything of the user's is escaped
}

// Mentions are the names of users that the text links to, without duplicates, at most n.
func Mentions(text string, n int) (names []string) {
	each(text, func(_ int, _, href string) {
		name, is := strings.CutPrefix(href, "/@")
		if is && len(names) < n && !slices.Contains(names, name) {
			names = append(names, name)
		}
	})
	return names
}

// each visits the links of a text: where each begins, the part of the text it covers, and its target.
func each(text string, visit func(at int, shown, href string)) {
	for _, at := range candidates.FindAllStringIndex(text, -1) {
		shown, href := link(text[at[0]:at[1]])
		before, _ := utf8.DecodeLastRuneInString(text[:at[0]])
		if href == "" || at[0] > 0 && joins(before) || text[at[0]] == '@' && strings.HasPrefix(text[at[1]:], "@") {
			continue
		}
		visit(at[0], shown, href)
	}
}

// joins reports whether a candidate after this character is part of something else: an email address, a path, an
// entity.
func joins(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.N) || strings.ContainsRune(`_-./\@#&=+~%$`, r)
}

// link returns how much of a candidate is a link, and its target, which is empty if it is not a link.
func link(text string) (shown, href string) {
	switch text[0] {
	case '@':
		shown = strings.TrimRight(text, ".-") // the end of a sentence
		if n := len(shown) - 1; n >= minName && n <= maxName {
			href = "/" + strings.ToLower(shown)
		}
	case '#':
		word := text[1:]
		if strings.ContainsFunc(word, unicode.IsLetter) && utf8.RuneCountInString(word) <= maxTag {
			shown, href = text, "/search?q=%23"+url.QueryEscape(word)
		}
	default:
		shown = withoutTail(text)
		href = address(shown)
	}
	return shown, href
}

// withoutTail removes trailing punctuation that belongs to the surrounding sentence.
func withoutTail(text string) string {
	for {
		last, size := utf8.DecodeLastRuneInString(text)
		opening := map[rune]string{')': "(", ']': "[", '}': "{"}[last]
		unbalanced := opening != "" && strings.Count(text, opening) < strings.Count(text, string(last))
		if !unbalanced && !strings.ContainsRune(`.,:;!?'*…”’»`, last) {
			return text
		}
		text = text[:len(text)-size]
	}
}

// address is the target of a URL. A URL with a user name is not linked: that is how links pretend to lead elsewhere.
func address(text string) string {
	if text == "" {
		return ""
	}
	if strings.EqualFold(text[:min(4, len(text))], "www.") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.String()
}
