package routes_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"tokentube/e2e/testsite"
	"tokentube/templates"
)

var formTag = regexp.MustCompile("(\\S+)\\s+`form:\"(\\w+)\"")

// fields are the fields of all input structs, with their types, as currently in the source.
var fields = sync.OnceValue(func() map[string]string {
	found := map[string]string{}
	err := filepath.WalkDir("../controllers", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" {
			return err
		}
		text, err := os.ReadFile(path)
		for _, tag := range formTag.FindAllStringSubmatch(string(text), -1) {
			found[tag[2]] = strings.TrimPrefix(tag[1], "*")
		}
		return err
	})
	if err != nil || len(found) == 0 {
		panic("the controllers' source is not there")
	}
	return found
})

// fill gives every existing field a value of its type; actions ignore fields that they don't know.
func fill(words, visibility string) url.Values {
	form := url.Values{}
	for name, kind := range fields() {
		switch kind {
		case "bool":
			form.Set(name, "true")
		case "int", "int64", "float64":
			form.Set(name, "1")
		default:
			form.Set(name, words)
		}
	}
	form.Set("visibility", visibility)
	form.Set("commentsOff", "false") // otherwise there would be no comments
	form.Set("parent", "")           // nor replies
	return form
}

var fileField = regexp.MustCompile(`"file" \(dict "Name" "(\w+)".*?"Accept" "(\w+)/`)

// allFiles are the file fields of all forms, each with a file that it accepts.
func allFiles(t testing.TB) (files []testsite.File) {
	t.Helper()
	content := map[string][]byte{"image": testsite.Picture(t), "video": testsite.Video}
	err := fs.WalkDir(templates.FS, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(templates.FS, path)
		for _, field := range fileField.FindAllStringSubmatch(string(text), -1) {
			if slices.ContainsFunc(files, func(f testsite.File) bool { return f.Field == field[1] }) {
				continue
			}
			files = append(files, testsite.File{Field: field[1], Name: "file", Content: content[field[2]]})
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatal("there are no forms with files", err)
	}
	return files
}
