package source

import (
	"go/scanner"
	"go/token"
)

// Span is a stretch of code that is displayed in the same way.
type Span struct {
	Kind string // comment, keyword, string, or empty for anything else
	Text string
}

// Spans splits the text into spans; joined together they are the text.
func (p Piece) Spans() []Span {
	var spans []Span
	content := []byte(p.Text)
	files := token.NewFileSet()
	file := files.AddFile(p.File, -1, len(content))
	var s scanner.Scanner
	s.Init(file, content, nil, scanner.ScanComments)
	done := 0
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			break
		}
		kind := kindOf(tok)
		if kind == "" {
			continue
		}
		start := file.Offset(pos)
		if start > done {
			spans = append(spans, Span{"", p.Text[done:start]})
		}
		spans = append(spans, Span{kind, literal})
		done = start + len(literal)
	}
	if done < len(p.Text) {
		spans = append(spans, Span{"", p.Text[done:]})
	}
	return spans
}

func kindOf(t token.Token) string {
	switch {
	case t == token.COMMENT:
		return "comment"
	case t.IsKeyword():
		return "keyword"
	case t == token.STRING, t == token.CHAR:
		return "string"
	}
	return ""
}
