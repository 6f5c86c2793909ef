package mail

import (
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"path"
	"strings"
	"text/template"
)

// Letters are the texts of mails. In each, the first line is the subject, followed by paragraphs separated by empty
// lines. The HTML is generated from the same text, so that both have the same content.
type Letters struct {
	texts *template.Template
	frame *htmltemplate.Template
}

// ParseLetters reads <folder>/*.txt and <folder>/frame.tmpl, the HTML around the paragraphs.
func ParseLetters(files fs.FS, folder string) (*Letters, error) {
	texts, err := template.New("").Option("missingkey=error").ParseFS(files, path.Join(folder, "*.txt"))
	if err != nil {
		return nil, err
	}
	frame, err := htmltemplate.ParseFS(files, path.Join(folder, "frame.tmpl"))
	return &Letters{texts, frame}, err
}

type paragraph struct{ Text, Link string }

// Write composes a letter from the named texts, in order. A paragraph that is a URL becomes a link.
func (l *Letters) Write(data any, names ...string) (m Message, err error) {
	var text, html strings.Builder
	for _, name := range names {
		if err := l.texts.ExecuteTemplate(&text, name+".txt", data); err != nil {
			return m, err
		}
		text.WriteString("\n")
	}
	subject, body, ok := strings.Cut(strings.TrimSpace(text.String()), "\n\n")
	if !ok || strings.Contains(subject, "\n") {
		return m, fmt.Errorf("the mail %q has no subject", names)
	}
	var paragraphs []paragraph
	for part := range strings.SplitSeq(body, "\n\n") {
		if strings.HasPrefix(part, "http") && !strings.ContainsAny(part, " \n") {
			paragraphs = append(paragraphs, paragraph{Link: part})
		} else {
			paragraphs = append(paragraphs, paragraph{Text: part})
		}
	}
	err = l.frame.Execute(&html, map[string]any{"Subject": subject, "Paragraphs": paragraphs})
	return Message{Subject: subject, Text: body + "\n", HTML: html.String()}, err
}
