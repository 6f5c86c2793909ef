package autolink

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/net/html"
)

const rel = ` rel="nofollow ugc noopener"`

func TestLinks(t *testing.T) {
	a := func(href, shown string) string {
		out := `<a href="` + href + `"`
		if href[0] != '/' {
			out += rel
		}
		return out + `><bdi>` + shown + `</bdi></a>`
	}
	for text, want := range map[string]string{
		"":                           "",
		"plain words, no link":       "plain words, no link",
		"see https://go.dev/doc":     "see " + a("https://go.dev/doc", "https://go.dev/doc"),
		"HTTP://Go.dev":              a("http://Go.dev", "HTTP://Go.dev"),
		"www.example.com/a":          a("https://www.example.com/a", "www.example.com/a"),
		"(see https://go.dev/a(b)).": "(see " + a("https://go.dev/a(b)", "https://go.dev/a(b)") + ").",
		"https://go.dev, and":        a("https://go.dev", "https://go.dev") + ", and",
		"https://go.dev/?a=1&b=2":    a("https://go.dev/?a=1&amp;b=2", "https://go.dev/?a=1&amp;b=2"),
		"https://go.dev/#frag":       a("https://go.dev/#frag", "https://go.dev/#frag"),
		"https://go.dev/@alice #x2":  a("https://go.dev/@alice", "https://go.dev/@alice") + " " + a("/search?q=%23x2", "#x2"),
		"a\nhttps://go.dev\nb":       "a\n" + a("https://go.dev", "https://go.dev") + "\nb",
		"http://[::1]:80/":           a("http://[::1]:80/", "http://[::1]:80/"),
		"https://münchen.example/ü":  a("https://m%C3%BCnchen.example/%C3%BC", "https://münchen.example/ü"),

		"@alice":                          a("/@alice", "@alice"),
		"thanks @Alice.B_c-d!":            "thanks " + a("/@alice.b_c-d", "@Alice.B_c-d") + "!",
		"ask @alice.":                     "ask " + a("/@alice", "@alice") + ".",
		"(@alice, @bob)":                  "(" + a("/@alice", "@alice") + ", " + a("/@bob", "@bob") + ")",
		"@al":                             "@al",
		"@" + strings.Repeat("a", 31):     "@" + strings.Repeat("a", 31),
		"bob@example.com":                 "bob@example.com",
		"@bob@example.com":                "@bob@example.com",
		"a/@alice":                        "a/@alice",
		"é@alice":                         "é@alice",
		"#sea":                            a("/search?q=%23sea", "#sea"),
		"#Über_das, #日本":                  a("/search?q=%23%C3%9Cber_das", "#Über_das") + ", " + a("/search?q=%23%E6%97%A5%E6%9C%AC", "#日本"),
		"#1 of #2nd":                      "#1 of " + a("/search?q=%232nd", "#2nd"),
		"#" + strings.Repeat("é", 31):     "#" + strings.Repeat("é", 31),
		"C# and a#b":                      "C# and a#b",
		"&#x3c;script&#x3e;":              "&amp;#x3c;script&amp;#x3e;",
		"##sea":                           "##sea",
		"https://user@evil.example":       "https://user@evil.example",
		"https://go.dev:80@evil.example/": "https://go.dev:80@evil.example/",
		"https://":                        "https://",
		"https://...":                     "https://...",
		"https://go.dev/%zz":              "https://go.dev/%zz",
		"http:///path":                    "http:///path",
		"javascript:alert(1)":             "javascript:alert(1)",
		"data:text/html,x":                "data:text/html,x",
		"xhttps://go.dev":                 "xhttps://go.dev",
		"javascript:https://go.dev":       "javascript:" + a("https://go.dev", "https://go.dev"),
		"https://go.dev\u202e/moc.live//": a("https://go.dev", "https://go.dev") + "\u202e/moc.live//",
		"https://go.dev/\"onclick=\"x":    a("https://go.dev/", "https://go.dev/") + "&#34;onclick=&#34;x",
		"https://go.dev/'onclick='x":      a("https://go.dev/&#39;onclick=&#39;x", "https://go.dev/&#39;onclick=&#39;x"),
		"https://go.dev/<script>":         a("https://go.dev/", "https://go.dev/") + "&lt;script&gt;",
		`"'><script>content</script>`:     "&#34;&#39;&gt;&lt;script&gt;content&lt;/script&gt;",
		"https://go.dev/\x00x":            a("https://go.dev/", "https://go.dev/") + "\ufffdx",
		"not utf-8: \xff https://go.dev":  "not utf-8: \xff " + a("https://go.dev", "https://go.dev"),
		"https://go.dev/a\u00a0https://b": a("https://go.dev/a", "https://go.dev/a") + "\u00a0" + a("https://b", "https://b"),
		"https://go.dev/…":                a("https://go.dev/", "https://go.dev/") + "…",
	} {
		if got := string(HTML(text, strings.Clone)); got != want {
			t.Errorf("%q\n got %s\nwant %s", text, got, want)
		}
	}
}

// Whatever is typed, a browser shows it as typed, and finds nothing in it except links of the three kinds.
func FuzzHTML(f *testing.F) {
	for _, text := range []string{
		"see https://go.dev/a(b), @alice and #sea.", `"'><script>x</script>`, "www.a.b\u202ehttps://c", "@a.b-@c#d&e", "https://a\x00b'\"<>",
		"<a href=https://x>", "&lt;@alice&gt;", "https://[", "https://a b@c",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\r") {
			return // users' texts never contain them; parsers replace them
		}
		doc, err := html.Parse(strings.NewReader("<body><p>" + string(HTML(text, strings.Clone))))
		if err != nil {
			t.Fatal(err)
		}
		var shown strings.Builder
		for n := range doc.Descendants() {
			switch {
			case n.Type == html.TextNode:
				shown.WriteString(n.Data)
			case n.Type != html.ElementNode || n.Data == "html" || n.Data == "head" || n.Data == "body" || n.Data == "p" || n.Data == "bdi" && len(n.Attr) == 0:
			case n.Data == "a":
				checkLink(t, n)
			default:
				t.Errorf("%q becomes a <%s>", text, n.Data)
			}
		}
		if shown.String() != text {
			t.Errorf("%q is shown as %q", text, shown.String())
		}
	})
}

func checkLink(t *testing.T, a *html.Node) {
	t.Helper()
	href := a.Attr[0].Val
	own := strings.HasPrefix(href, "/@") || strings.HasPrefix(href, "/search?q=%23")
	elsewhere := strings.HasPrefix(href, "http://") || strings.HasPrefix(href, "https://")
	switch {
	case a.Attr[0].Key != "href", !own && !elsewhere, own && len(a.Attr) != 1:
		t.Errorf("a link %v", a.Attr)
	case elsewhere && (len(a.Attr) != 2 || a.Attr[1].Key != "rel" || a.Attr[1].Val != "nofollow ugc noopener"):
		t.Errorf("a link elsewhere %v", a.Attr)
	}
}

func TestMentions(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                nil,
		"nobody here, not even a@b":       nil,
		"@alice":                          {"alice"},
		"hello @alice, and @bob.":         {"alice", "bob"},
		"@Alice @ALICE @alice":            {"alice"},
		"(@alice) “@bob” @carol!":         {"alice", "bob", "carol"},
		"mail alice@example.com":          nil,
		"https://example.com/@alice":      nil,
		"@al is too short":                nil,
		"@" + strings.Repeat("a", 31):     nil,
		"#@alice":                         nil,
		"@a.b-c_d":                        {"a.b-c_d"},
		"one @two2 three\n@four4\t@five5": {"two2", "four4", "five5"},
	} {
		if got := Mentions(text, 10); !slices.Equal(got, want) {
			t.Errorf("%q mentions %q, want %q", text, got, want)
		}
	}
	if got := Mentions("@dora @bob @bob @alice @carol", 2); !slices.Equal(got, []string{"dora", "bob"}) {
		t.Errorf("the first two are %q", got)
	}
	if got := Mentions("@alice", 0); len(got) != 0 {
		t.Errorf("of none there are %q", got)
	}
}
