package words

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestOf(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "",
		"Hello, World!":    "hello world",
		"  Crème\tBRÛLÉE ": "creme brulee",
		"Cre\u0300me":      "creme",
		"ＦＵＬＬ ｗｉｄｔｈ ﬁnd №5":         "full width find no5",
		"ΣΊΣΥΦΟΣ Σίσυφος":           "σισυφοσ σισυφοσ",
		"Straße STRASSE STRAẞE":     "strasse strasse strasse",
		"Łódź Ærø İstanbul ısı":     "lodz aero istanbul isi",
		"100% \\ ( \" .* a_b don't": "100 a b don t",
		"東京タワー":                     "東 京 タ ワ ー",
		"がか":                        "が か",
		"हिन्दी":                    "हिन्दी",
		"שָׁלוֹם مُحَمَّد":          "שלום محمد",
		"한국어 한국어":                   "한국어 한국어",
		"fire🔥fire ❤️ 👍🏽":           "fire 🔥 fire ❤ 👍",
		"\x00\xff\u200b":            "",
	} {
		if got := strings.Join(Of(text), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if long := Of(strings.Repeat("é", 5000)); len(long) != 1 || utf8.RuneCountInString(long[0]) != longest {
		t.Errorf("a long word: %q", long)
	}
}

func TestTags(t *testing.T) {
	for text, want := range map[string]string{
		"#Cats and #dogs_2, #cats":  "#cats #dogs2 #cats",
		"no#tag &#39; http://x/#up": "",
		"(#été)":                    "#ete",
		"##twice #":                 "",
		"#a #b":                     "#a #b",
	} {
		if got := strings.Join(Tags(text), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for tag, want := range map[string]string{"New York": "#newyork", "#new-york": "#newyork", "#": "", "...": "", "C++": "#c"} {
		if got := Tag(tag); got != want {
			t.Errorf("%q: %q, want %q", tag, got, want)
		}
	}
}

func TestParseQuery(t *testing.T) {
	for text, want := range map[string]Query{
		"":                    {},
		" ( \" .* \\ ":        {},
		"#":                   {},
		"#%":                  {},
		"Sun":                 {Prefix: "sun"},
		"sun  Set sun":        {Words: []string{"sun"}, Prefix: "set"},
		"#Cats":               {Tags: []string{"#cats"}},
		"funny #cats":         {Words: []string{"funny"}, Tags: []string{"#cats"}},
		"#cats funny":         {Prefix: "funny", Tags: []string{"#cats"}},
		"#cats #cats":         {Tags: []string{"#cats"}},
		"100%":                {Prefix: "100"},
		"a b c d e f g h i j": {Words: []string{"a", "b", "c", "d", "e", "f", "g"}, Prefix: "h"},
		"@alice":              {Prefix: "alice"},
	} {
		got := ParseQuery(text)
		if !slices.Equal(got.Words, want.Words) || got.Prefix != want.Prefix || !slices.Equal(got.Tags, want.Tags) || got.Empty() != want.Empty() {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}
