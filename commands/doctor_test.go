package commands_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"tokentube/commands"
	"tokentube/config"
	"tokentube/e2e/testsite"
)

// examined runs the doctor on an environment.
func examined(t *testing.T, env map[string]string, args ...string) (string, error) {
	t.Helper()
	cfg, faults := config.Look(env)
	return doctor(t, cfg, faults, args...)
}

func doctor(t *testing.T, cfg config.Config, faults error, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	command, err := commands.Parse(append([]string{"doctor"}, args...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	err = command(t.Context(), commands.Site{Config: cfg, Faults: faults, Out: &out, Logs: io.Discard})
	return out.String(), err
}

// contents are the bytes, modes and times of a folder and everything in it.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := ""
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text = string(content)
		}
		all[path] = fmt.Sprint(info.Mode(), info.ModTime().UnixNano(), len(text), text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func noPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// The doctor changes nothing: no byte, no time, no file, whether the site is stopped, running, or was never started.
func TestDoctorChangesNothing(t *testing.T) {
	cfg := prepared(t)
	before := contents(t, cfg.DataDir)
	out, err := doctor(t, cfg, nil)
	if err != nil || !strings.Contains(out, "all indexes are there") {
		t.Errorf("%v: %s", err, out)
	}
	if !maps.Equal(before, contents(t, cfg.DataDir)) {
		t.Error("the folder of a stopped site has changed")
	}

	site := testsite.Start(t, cfg)
	server := httptest.NewServer(site.Handler)
	defer server.Close()
	site.DB.WaitRemovals()
	before = contents(t, cfg.DataDir)
	out, err = doctor(t, at(t, cfg, server.URL), nil)
	if want := "is working with it"; cfg.MongoURI == "" && !strings.Contains(out, want) || err != nil || !strings.Contains(out, "the site is running") {
		t.Errorf("%v, %s", err, out)
	}
	if after := contents(t, cfg.DataDir); cfg.MongoURI == "" && !maps.Equal(before, after) {
		t.Errorf("the folder of a running site has changed:\n%v\n%v", before, after) // the folder itself too: a file came and went
	}
	site.Client().Get("/").Status(200)

	dir := filepath.Join(t.TempDir(), "new")
	if out, err := examined(t, map[string]string{"DATA_DIR": dir, "PORT": noPort(t), "DISK_RESERVE_MB": "0"}); err != nil || !strings.Contains(out, "the first start makes") {
		t.Errorf("%v: %s", err, out)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the doctor made the data folder")
	}
}

func TestDoctorFindsFaults(t *testing.T) {
	strong := map[string]string{"ACCESS_TOKEN_SECRET": "access secret 0123456789 abcdefghij klm", "REFRESH_TOKEN_SECRET": "refresh secret 0123456789 abcdefghij kl"}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, takenPort, _ := net.SplitHostPort(taken.Addr().String())
	damaged := t.TempDir()
	if err := os.WriteFile(filepath.Join(damaged, "tokentube.db"), []byte("no database"), 0o600); err != nil {
		t.Fatal(err)
	}
	future := prepared(t)
	if future.MongoURI == "" {
		late := time.Now().Add(48 * time.Hour)
		if err := os.Chtimes(future.DatabaseFile(), late, late); err != nil {
			t.Fatal(err)
		}
	}
	production := "APP_ENV=production"
	for name, test := range map[string]struct {
		set  []string
		want string // level, subject and a part of the text
	}{
		"wrong setting":     {[]string{"BCRYPT_COST=99"}, "fault  BCRYPT_COST: must be a whole number"},
		"two wrong ones":    {[]string{"BCRYPT_COST=99", "JWT_ALG=none"}, "fault  JWT_ALG: must be one of"},
		"secrets missing":   {[]string{production, "ACCESS_TOKEN_SECRET=", "REFRESH_TOKEN_SECRET="}, "must be set with APP_ENV=production"},
		"secret short":      {[]string{"ACCESS_TOKEN_SECRET=short"}, "fault  ACCESS_TOKEN_SECRET: must be at least 32 random bytes"},
		"secrets equal":     {[]string{"ACCESS_TOKEN_SECRET=" + strong["REFRESH_TOKEN_SECRET"]}, "fault  REFRESH_TOKEN_SECRET: must differ"},
		"secret an example": {[]string{"REFRESH_TOKEN_SECRET=your-secret-0123456789-abcdefghijklmnop"}, "fault  REFRESH_TOKEN_SECRET: must be at least"},
		"port taken":        {[]string{"HOST=127.0.0.1", "PORT=" + takenPort}, "fault  PORT: " + takenPort + " is in use"},
		"metrics' taken":    {[]string{"METRICS_ADDR=127.0.0.1:" + takenPort}, "fault  METRICS_ADDR: nothing can listen"},
		"metrics open":      {[]string{"METRICS_ADDR=:0"}, "note   METRICS_ADDR: the metrics are open"},
		"host unknown":      {[]string{"HOST=192.0.2.1", "BASE_URL=https://tube.example"}, "fault  HOST and PORT: nothing can listen"},
		"plain HTTP":        {[]string{"BASE_URL=http://tube.example"}, "fault  BASE_URL: http://tube.example is plain HTTP"},
		"cookies dropped":   {[]string{"BASE_URL=http://tube.example"}, "fault  COOKIE_SECURE: browsers drop"},
		"beyond loopback":   {[]string{"HOST=0.0.0.0", "BASE_URL=http://localhost:8000"}, "fault  HOST: 0.0.0.0 takes plain HTTP"},
		"past the proxy":    {[]string{"HOST=0.0.0.0", "BASE_URL=https://tube.example"}, "note   HOST: 0.0.0.0 takes plain HTTP"},
		"no address":        {[]string{production}, "fault  BASE_URL: a site in production"},
		"insecure cookies":  {[]string{"BASE_URL=https://tube.example", "COOKIE_SECURE=false"}, "fault  COOKIE_SECURE: tokens are sent"},
		"no prefix":         {[]string{production, "BASE_URL=https://tube.example"}, "note   COOKIE_PREFIX:"},
		"everybody a proxy": {[]string{"TRUSTED_PROXIES=10.0.0.1, 0.0.0.0/0"}, "fault  TRUSTED_PROXIES: 0.0.0.0/0 is nearly"},
		"no proxy":          {[]string{"BASE_URL=https://tube.example"}, "note   TRUSTED_PROXIES:"},
		"no limits":         {[]string{production, "RATE_LIMIT=false"}, "fault  RATE_LIMIT:"},
		"certificate gone":  {[]string{"TLS_CERT_FILE=none.pem", "TLS_KEY_FILE=none.pem"}, "fault  TLS_CERT_FILE: the certificate cannot be used"},
		"disk full":         {[]string{"DISK_RESERVE_MB=999999999"}, "fault  DISK_RESERVE_MB:"},
		"no MongoDB":        {[]string{"MONGODB_URI=mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=300"}, "fault  MONGODB_URI: it cannot be opened"},
		"damaged database":  {[]string{"DATA_DIR=" + damaged}, "fault  database: it cannot be opened"},
		"not a folder":      {[]string{"DATA_DIR=" + filepath.Join(damaged, "tokentube.db")}, "fault  DATA_DIR:"},
		"no bucket":         {[]string{"MEDIA_URL=s3://KEY:SECRETKEY@bucket?region=x&endpoint=http://127.0.0.1:1&use_path_style=true"}, "fault  MEDIA_URL: the bucket cannot be read"},
		"no mail server":    {[]string{"SMTP_URL=smtp://user:hunter2@127.0.0.1:1?tls=off"}, "fault  SMTP_URL: the mail server does not take the login"},
		"no mail":           {[]string{production}, "note   SMTP_URL:"},
		"clock":             {[]string{"DATA_DIR=" + future.DataDir}, "fault  clock: the database was written in the future"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "clock" && future.MongoURI != "" {
				t.Skip("there is no file")
			}
			env := map[string]string{"DATA_DIR": filepath.Join(t.TempDir(), "data"), "PORT": noPort(t)}
			maps.Copy(env, strong)
			for _, pair := range test.set {
				name, value, _ := strings.Cut(pair, "=")
				env[name] = value
			}
			out, err := examined(t, env)
			if !strings.Contains(out, test.want) {
				t.Errorf("want %q in:\n%s", test.want, out)
			}
			if found := strings.Contains("\n"+out, "\nfault"); found != (err != nil) {
				t.Errorf("%v, after:\n%s", err, out)
			}
			for _, secret := range []string{"SECRETKEY", "hunter2", strong["REFRESH_TOKEN_SECRET"]} {
				if strings.Contains(out, secret) {
					t.Errorf("the doctor tells %s", secret)
				}
			}
			for line := range strings.Lines(out) {
				if level, _, _ := strings.Cut(line, " "); level != "ok" && level != "note" && level != "fault" {
					t.Errorf("not a finding: %s", line)
				}
			}
		})
	}
}

func TestDoctorLooksAtPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes")
	}
	cfg := prepared(t)
	for path, mode := range map[string]fs.FileMode{cfg.DataDir: 0o755, cfg.SecretsFile(): 0o644} {
		if path == cfg.SecretsFile() {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	out, err := doctor(t, cfg, nil)
	if err == nil || !strings.Contains(out, "fault  secrets.env: every user of this machine") || !strings.Contains(out, "note   DATA_DIR: other users") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestDoctorInJSON(t *testing.T) {
	out, err := examined(t, map[string]string{"DATA_DIR": t.TempDir(), "PORT": noPort(t), "BCRYPT_COST": "1"}, "--json")
	var list []struct{ Level, About, What, Do string }
	if fault := json.Unmarshal([]byte(out), &list); fault != nil || err == nil || len(list) < 5 || list[0].Level != "fault" || list[0].About != "BCRYPT_COST" || list[0].Do == "" {
		t.Errorf("%v, %v: %s", fault, err, out)
	}
}

// On MongoDB, the doctor checks the indexes, whether transactions work, and the clock.
func TestDoctorLooksIntoMongoDB(t *testing.T) {
	cfg := testsite.Config(t)
	if cfg.MongoURI == "" {
		t.Skip("MONGODB_URI is not set")
	}
	if out, _ := doctor(t, cfg, nil); !strings.Contains(out, "has nothing of this site yet") {
		t.Error(out)
	}
	testsite.Start(t, cfg)
	out, err := doctor(t, cfg, nil)
	if err != nil || !strings.Contains(out, "all indexes are there") {
		t.Errorf("%v: %s", err, out)
	}
	// The stand-in only reports its time as a replica set; MongoDB always does.
	if !strings.Contains(out, "no transactions") && !strings.Contains(out, "ok     clock") {
		t.Error(out)
	}
}

// With a bucket, uploaded pictures wait in the system's folder for temporary files. A container may have none.
func TestDoctorMissesAFolderForPicturesOnTheirWay(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("TMPDIR is for Unix")
	}
	env := map[string]string{"DATA_DIR": filepath.Join(t.TempDir(), "data"), "PORT": noPort(t)}
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	if out, _ := examined(t, env); strings.Contains(out, "TMPDIR") {
		t.Errorf("without a bucket:\n%s", out)
	}
	env["MEDIA_URL"] = "s3://KEY:SECRETKEY@bucket?region=x&endpoint=http://127.0.0.1:1&use_path_style=true"
	if out, err := examined(t, env); err == nil || !strings.Contains(out, "fault  TMPDIR: pictures") {
		t.Errorf("%v, after:\n%s", err, out)
	}
}
