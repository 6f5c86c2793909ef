package routes_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layers are the folders in the order in which they may import each other. Commands need nothing above the models; docs
// is imported by a page that shows a document.
var layers = []string{"docs", "config", "utils", "models", "middlewares", "controllers", "routes"}

func TestFoldersImportOnlyThoseAboveThem(t *testing.T) {
	may := map[string][]string{"commands": append([]string{"commands"}, layers[1:4]...)}
	for i, layer := range layers {
		may[layer] = layers[:i+1]
	}
	for layer, above := range may {
		err := filepath.WalkDir("../"+layer, func(name string, d os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				return err
			}
			for _, imported := range file.Imports {
				own, ours := strings.CutPrefix(strings.Trim(imported.Path.Value, `"`), "tokentube/")
				folder, _, _ := strings.Cut(own, "/")
				if ours && !slices.Contains(above, folder) {
					t.Errorf("%s imports %s", name, own)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
