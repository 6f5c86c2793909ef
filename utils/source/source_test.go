package source_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"tokentube/utils/source"
)

const example = `package shop

import "fmt"

// limit is what one may buy.
const limit = 3 // at once

const (
	small = iota // few
	large
)

// Basket holds what was chosen.
type Basket[T any] struct{ items []T }

// Add puts one in.
func (b *Basket[T]) Add(item T) error {
	if len(b.items) == limit { // full
		return fmt.Errorf("no more than %d <b>", limit)
	}
	return nil
}

func open() rune { return '}' }
`

func code(t *testing.T, files fstest.MapFS) *source.Code {
	t.Helper()
	c, err := source.New(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFind(t *testing.T) {
	c := code(t, fstest.MapFS{
		"shop/basket.go":      {Data: []byte(example)},
		"shop/basket_test.go": {Data: []byte("package shop\n\nfunc onlyTested() {}\n")},
		"shop/notes.txt":      {Data: []byte("no code")},
	})
	for _, test := range []struct {
		name       string
		line       int
		start, end string
	}{
		{"shop.limit", 5, "// limit is", "const limit = 3 // at once"},
		{"shop.large", 8, "const (", ")"},
		{"shop.Basket", 13, "// Basket holds", "struct{ items []T }"},
		{"shop.Basket.Add", 16, "// Add puts", "return nil\n}"},
		{"shop.open", 24, "func open()", "{ return '}' }"},
	} {
		p, err := c.Find(test.name)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if p.Name != test.name || p.File != "shop/basket.go" || p.Line != test.line || !strings.HasPrefix(p.Text, test.start) || !strings.HasSuffix(p.Text, test.end) {
			t.Errorf("%s: %+v", test.name, p)
		}
	}
	for _, name := range []string{"", "shop", "shop.", "shop.Add", "shop.onlyTested", "Basket", "shop.Basket.Remove"} {
		if p, err := c.Find(name); err == nil || !strings.Contains(err.Error(), "the source has no "+name) {
			t.Errorf("%q: %+v, %v", name, p, err)
		}
	}
}

func TestFileThatIsNoGo(t *testing.T) {
	if _, err := source.New(fstest.MapFS{"a/a.go": {Data: []byte("package a\nfunc {")}}); err == nil {
		t.Error("no error")
	}
}

func TestSpans(t *testing.T) {
	c := code(t, fstest.MapFS{"shop/basket.go": {Data: []byte(example)}})
	p, err := c.Find("shop.Basket.Add")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, s := range p.Spans() {
		found[s.Kind] = append(found[s.Kind], s.Text)
	}
	for kind, want := range map[string]string{
		"comment": "// Add puts one in.|// full", "keyword": "func|if|return|return", "string": `"no more than %d <b>"`,
	} {
		if got := strings.Join(found[kind], "|"); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
}

// Joined together, the spans of every declaration of this program are its text.
func TestSpansLoseNothing(t *testing.T) {
	c, err := source.New(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for name, p := range c.All() {
		var text strings.Builder
		for _, s := range p.Spans() {
			text.WriteString(s.Text)
		}
		if text.String() != p.Text {
			t.Errorf("%s: %s", name, &text)
		}
		n++
	}
	if n < 500 {
		t.Errorf("%d declarations were found", n)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := source.New(os.DirFS("../..")); err != nil {
			b.Fatal(err)
		}
	}
}

// The lines of every declaration of this program are its text, with their numbers in the file.
func TestLinesLoseNothing(t *testing.T) {
	c, err := source.New(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range c.All() {
		var texts []string
		for i, line := range p.Lines() {
			texts = append(texts, lineText(line))
			if line.Number != p.Line+i || line.Marked || line.Gap {
				t.Errorf("%s: line %d is %+v", name, i, line)
			}
		}
		if strings.Join(texts, "\n") != p.Text {
			t.Errorf("%s: %q", name, texts)
		}
	}
}

func TestExcerpt(t *testing.T) {
	p, err := code(t, fstest.MapFS{"shop/basket.go": {Data: []byte(example)}}).Find("shop.Basket.Add")
	if err != nil {
		t.Fatal(err)
	}
	lines := p.Excerpt("== limit", "no more than", "return nil")
	var texts []string
	for _, line := range lines {
		texts = append(texts, lineText(line))
	}
	if got, want := strings.Join(texts, "\n"), "if len(b.items) == limit { // full\n\treturn fmt.Errorf(\"no more than %d <b>\", limit)\nreturn nil"; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if lines[0].Number != 18 || lines[0].Gap || lines[1].Gap || !lines[2].Gap {
		t.Errorf("%+v", lines)
	}
	if none := p.Excerpt("nowhere"); none != nil {
		t.Errorf("%+v", none)
	}
}

func lineText(l source.Line) string {
	var text strings.Builder
	for _, span := range l.Spans {
		text.WriteString(span.Text)
	}
	return text.String()
}
