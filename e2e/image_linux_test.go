package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"tokentube/e2e/storage"
	"tokentube/e2e/testsite"
)

// TestImageTakesPictures uploads to the program with the settings of the Dockerfile and a bucket, in a root that has nothing
// but the program and can't be written to, except for its volume: as in compose.yaml.
func TestImageTakesPictures(t *testing.T) {
	t.Setenv("CGO_ENABLED", "0")
	t.Setenv("GOFLAGS", "-trimpath") // as in the Dockerfile
	onSmallDisk(t, "size=300m", binary.takesPictures)
}

func (b binary) takesPictures(t *testing.T, root string) {
	content, err := os.ReadFile(string(b))
	check(t, err)
	check(t, os.WriteFile(filepath.Join(root, "tokentube"), content, 0o700)) // #nosec G306 -- to be run
	for _, folder := range []string{"dev", "proc", "data"} {
		check(t, os.Mkdir(filepath.Join(root, folder), 0o700))
	}
	check(t, os.WriteFile(filepath.Join(root, "dev/null"), nil, 0o600))
	for _, name := range []string{"dev/null", "proc"} { // a container has both
		check(t, syscall.Mount("/"+name, filepath.Join(root, name), "", syscall.MS_BIND|syscall.MS_REC, ""))
	}
	check(t, syscall.Mount("tmpfs", filepath.Join(root, "data"), "tmpfs", 0, "size=100m"))
	check(t, syscall.Mount("", root, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))

	variables := secrets.with(dockerfile(t)).with(env{"HOST": "127.0.0.1", "PORT": freePort(t), "MEDIA_URL": storage.New(t).URL})
	variables["BASE_URL"] = "http://localhost:" + variables["PORT"]
	p := &process{t: t, cmd: binary("/tokentube").command(t, variables), base: variables["BASE_URL"]}
	p.cmd.Dir, p.cmd.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: root}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	check(t, p.cmd.Start())
	p.ready()

	v := newVisitor()
	answer, err := v.call(t.Context(), "POST", p.base+"/api/v1/users/register",
		testsite.M{"username": "alice", "email": "alice@example.com", "fullName": "Alice", "password": testsite.Password})
	check(t, err)
	if answer.StatusCode != http.StatusCreated {
		t.Fatal(answer)
	}
	answer, err = v.uploadPhoto(p.base, testsite.Picture(t), 0)
	check(t, err)
	if answer.StatusCode != http.StatusCreated {
		t.Errorf("%s\n%s", answer, p.printed())
	}
	check(t, p.cmd.Process.Signal(syscall.SIGTERM))
	check(t, p.cmd.Wait())
}

// dockerfile are the settings of the image.
func dockerfile(t *testing.T) env {
	t.Helper()
	text, err := os.ReadFile("../Dockerfile")
	check(t, err)
	all := env{}
	for _, line := range regexp.MustCompile(`(?m)^ENV (.*)$`).FindAllStringSubmatch(string(text), -1) {
		for pair := range strings.FieldsSeq(line[1]) {
			name, value, _ := strings.Cut(pair, "=")
			all[name] = value
		}
	}
	if all["DATA_DIR"] != "/data" {
		t.Fatalf("the Dockerfile sets %v", all)
	}
	return all
}
