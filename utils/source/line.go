package source

import "strings"

// Line is a line of a piece.
type Line struct {
	Number int // in its file
	Marked bool
	Gap    bool // lines before it are omitted
	Spans  []Span
}

// Lines are the lines of the piece; joined with "
// " they are its text. Lines that contain one of the marks are marked.
func (p Piece) Lines(marks ...string) []Line {
	lines := []Line{{Number: p.Line}}
	for _, span := range p.Spans() {
		for i, text := range strings.Split(span.Text, "\n") {
			if i > 0 {
				lines = append(lines, Line{Number: p.Line + len(lines)})
			}
			if last := &lines[len(lines)-1]; text != "" {
				last.Spans = append(last.Spans, Span{span.Kind, text})
			}
		}
	}
	for i, text := range strings.Split(p.Text, "\n") {
		for _, mark := range marks {
			lines[i].Marked = lines[i].Marked || strings.Contains(text, mark)
		}
	}
	return lines
}

// Excerpt are only the marked lines, without their common indentation.
func (p Piece) Excerpt(marks ...string) []Line {
	var lines []Line
	indent := ""
	for _, line := range p.Lines(marks...) {
		if !line.Marked {
			continue
		}
		if len(lines) == 0 {
			indent = indentOf(line)
		} else {
			line.Gap = lines[len(lines)-1].Number != line.Number-1
		}
		lines = append(lines, line)
		for !strings.HasPrefix(indentOf(line), indent) {
			indent = indent[:len(indent)-1]
		}
	}
	for i := range lines {
		if len(lines[i].Spans) > 0 {
			lines[i].Spans[0].Text = strings.TrimPrefix(lines[i].Spans[0].Text, indent)
		}
	}
	return lines
}

func indentOf(l Line) string {
	if len(l.Spans) == 0 {
		return ""
	}
	text := l.Spans[0].Text
	return text[:len(text)-len(strings.TrimLeft(text, "\t"))]
}
