package respond

import (
	"html/template"
	"reflect"
	"slices"
	"strings"
	"text/template/parse"

	"tokentube/utils/isolate"
)

// isolateTexts adds {{… | shown}} wherever a template shows a value, so that no page can forget it: in text, in titles,
// and in attributes that people read or hear. Values that are submitted (value, textarea), followed as links or read by
// programs are left unchanged.
func isolateTexts(list *parse.ListNode) { (&place{}).walk(list) }

// heard are the attributes that contain text for people.
var heard = []string{"alt", "aria-description", "aria-label", "aria-roledescription", "aria-valuetext", "content", "label", "placeholder", "title"}

// place is a template's position in the page: outside of tags, in a tag, or in an attribute's value.
type place struct {
	tag       bool
	attribute string // its name, while it is being read
	quote     byte   // around the value; 0: outside of a value
	element   string // the name of the tag, then the element that contains the text
	closing   bool
	named     bool // the tag's name has been read
}

func (p *place) walk(list *parse.ListNode) {
	if list == nil {
		return
	}
	for _, node := range list.Nodes {
		switch n := node.(type) {
		case *parse.TextNode:
			p.read(n.Text)
		case *parse.ActionNode:
			if p.shows() {
				addShown(n.Pipe)
			}
		case *parse.IfNode:
			p.branches(n.List, n.ElseList)
		case *parse.WithNode:
			p.branches(n.List, n.ElseList)
		case *parse.RangeNode:
			p.branches(n.List, n.ElseList)
		}
	}
}

// branches end in the same place: html/template guarantees that.
func (p *place) branches(one, other *parse.ListNode) {
	start := *p
	p.walk(one)
	start.walk(other)
}

func (p *place) shows() bool {
	switch {
	case p.quote != 0:
		return slices.Contains(heard, p.attribute)
	case p.tag:
		return false
	}
	return p.element != "textarea"
}

func (p *place) read(text []byte) {
	for _, b := range text {
		switch {
		case p.quote != 0:
			if b == p.quote {
				p.quote, p.attribute = 0, ""
			}
		case !p.tag:
			if b == '<' {
				*p = place{tag: true}
			}
		default:
			p.readTag(b)
		}
	}
}

func (p *place) readTag(b byte) {
	switch {
	case b == '>':
		p.tag, p.attribute = false, ""
		if p.closing {
			p.element = ""
		}
	case b == '"' || b == '\'':
		p.quote = b
	case b == '/' && p.element == "":
		p.closing = true
	case strings.IndexByte(" \t\r\n", b) >= 0:
		p.named, p.attribute = p.element != "", ""
	case b == '=':
	case !p.named:
		p.element += string(b)
	default:
		p.attribute += string(b)
	}
}

// ours are the functions whose results need no isolation, and asIs, by which a template opts out of it.
var ours = []string{"asIs", "asset", "clock", "fullTime", "icon", "iso", "key", "plural", "short", "timeTag"}

func addShown(pipe *parse.PipeNode) {
	if len(pipe.Decl) > 0 {
		return
	}
	last := pipe.Cmds[len(pipe.Cmds)-1]
	if f, ok := last.Args[0].(*parse.IdentifierNode); ok && slices.Contains(ours, f.Ident) {
		return
	}
	pipe.Cmds = append(pipe.Cmds, &parse.CommandNode{
		NodeType: parse.NodeCommand, Pos: pipe.Pos, Args: []parse.Node{parse.NewIdentifier("shown").SetPos(pipe.Pos)},
	})
}

// shown isolates a value if it is text. Other values are passed through.
func shown(v any) any {
	switch v := v.(type) {
	case string:
		return isolate.Text(v)
	case nil, template.HTML, template.HTMLAttr, template.URL, int, int64, bool:
		return v
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.String {
		return isolate.Text(r.String())
	}
	return v
}

func asIs(v any) any { return v }
