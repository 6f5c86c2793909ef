package docs_test

import (
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin/binding"
	"github.com/joho/godotenv"

	"tokentube/commands"
	"tokentube/config"
)

// closing is how long the program takes at most to close the database, after the last request.
const closing = 10 * time.Second

// unit is a systemd unit, by section and name. A name can have several values.
type unit map[string]map[string][]string

var unitFile = regexp.MustCompile("(?ms)^```ini\n# /etc/systemd/system/(\\S+)\n(.*?)^```")

// units are the unit files in deployment.md.
func units(t *testing.T) (parsed map[string]unit, texts map[string]string) {
	t.Helper()
	parsed, texts = map[string]unit{}, map[string]string{}
	for _, m := range unitFile.FindAllStringSubmatch(read(t, "deployment.md"), -1) {
		texts[m[1]] = m[2]
		u, section := unit{}, ""
		for line := range strings.Lines(m[2]) {
			line = strings.TrimSpace(line)
			name, value, pair := strings.Cut(line, "=")
			switch {
			case line == "":
			case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
				section = line
				u[section] = map[string][]string{}
			case pair && u[section] != nil:
				u[section][name] = append(u[section][name], value)
			default:
				t.Fatalf("%s: %q is not NAME=value in a section", m[1], line)
			}
		}
		parsed[m[1]] = u
	}
	for _, name := range []string{"tokentube.service", "tokentube-backup.service", "tokentube-backup.timer"} {
		if parsed[name] == nil {
			t.Fatalf("there is no %s", name)
		}
	}
	return parsed, texts
}

// one is the only value of a name.
func (u unit) one(t *testing.T, section, name string) string {
	t.Helper()
	if len(u[section][name]) != 1 {
		t.Fatalf("%s %s has the values %q", section, name, u[section][name])
	}
	return u[section][name][0]
}

// environment are the variables of a unit: its own, and those of the file that is shown above it.
func (u unit) environment(t *testing.T) map[string]string {
	t.Helper()
	own, err := godotenv.Unmarshal(strings.Join(u["[Service]"]["Environment"], "\n"))
	if err != nil || len(own) == 0 {
		t.Fatal(own, err)
	}
	_, after, _ := strings.Cut(read(t, "deployment.md"), "`/etc/tokentube.env`")
	lines := regexp.MustCompile(`(?m)^    [A-Z_]+=.*$`).FindAllString(after[:strings.Index(after, "```ini")], -1)
	file, err := godotenv.Unmarshal(strings.Join(lines, "\n"))
	if err != nil || len(file) < 5 {
		t.Fatal(file, err)
	}
	for name := range file {
		if _, twice := own[name]; twice {
			t.Errorf("%s is in the unit, and in the file, which wins", name)
		}
	}
	maps.Copy(own, file)
	for _, secret := range []string{"ACCESS_TOKEN_SECRET", "REFRESH_TOKEN_SECRET"} {
		own[secret] = secret + "-of-32-random-bytes-0123456789"
	}
	return own
}

// variables are the settings that the program reads.
func variables(t *testing.T) (names []string) {
	t.Helper()
	for _, match := range known.FindAllStringSubmatch(read(t, "../config/config.go"), -1) {
		names = append(names, match[1])
	}
	if len(names) < 30 {
		t.Fatalf("only these are read: %v", names)
	}
	return names
}

// usable checks that the program accepts the settings and that none is missing.
func usable(t *testing.T, what string, env map[string]string) config.Config {
	t.Helper()
	all := variables(t)
	for name := range env {
		if !slices.Contains(all, name) && !strings.HasPrefix(name, "AWS_") {
			t.Errorf("%s: the program does not read %s", what, name)
		}
	}
	cfg, err := config.Look(env)
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	return cfg
}

// stopsInTime checks that whatever stops the program waits long enough before killing it.
func stopsInTime(t *testing.T, what, waits string, cfg config.Config) {
	t.Helper()
	d, err := config.ParseDuration(strings.TrimSuffix(waits, "s") + "s")
	if err != nil || d <= cfg.DrainTime+cfg.StopTime+closing {
		t.Errorf("%s waits %s (%v), but the program may take %v + %v + %v", what, waits, err, cfg.DrainTime, cfg.StopTime, closing)
	}
}

func TestUnitsAreTrueToTheProgram(t *testing.T) {
	all, _ := units(t)
	site, backup := all["tokentube.service"], all["tokentube-backup.service"]
	cfg := usable(t, "tokentube.service", site.environment(t))
	stopsInTime(t, "TimeoutStopSec", site.one(t, "[Service]", "TimeoutStopSec"), cfg)
	if cfg.Env != "production" || cfg.MetricsAddr == "" || cfg.SMTP == nil || cfg.DataDir != filepath.Join("/var/lib", site.one(t, "[Service]", "StateDirectory")) {
		t.Errorf("the site is %+v", cfg)
	}
	if got := usable(t, "tokentube-backup.service", backup.environment(t)); got.DataDir != cfg.DataDir {
		t.Errorf("the backup is of %s, the site in %s", got.DataDir, cfg.DataDir)
	}
	for _, name := range []string{"User", "EnvironmentFile", "StateDirectoryMode", "UMask", "SystemCallErrorNumber"} {
		if a, b := site.one(t, "[Service]", name), backup.one(t, "[Service]", name); a != b {
			t.Errorf("%s is %s for the site and %s for the backup", name, a, b)
		}
	}
	for _, u := range []unit{site, backup} {
		program, args, _ := strings.Cut(u.one(t, "[Service]", "ExecStart"), " ")
		if _, err := commands.Parse(strings.Fields(args), io.Discard); err != nil || program != "/usr/local/bin/tokentube" {
			t.Errorf("%s %s: %v", program, args, err)
		}
	}
	if !strings.HasSuffix(backup.one(t, "[Service]", "ExecStart"), " /var/lib/"+backup.one(t, "[Service]", "StateDirectory")) {
		t.Error("the backup goes to a folder that the unit does not make")
	}
}

// systemd itself checks the units, if its tool is installed.
func TestUnitsAreReadBySystemd(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze")
	}
	folder := t.TempDir()
	program := filepath.Join(folder, "tokentube")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, texts := units(t)
	args := []string{"verify", "--man=no", "--recursive-errors=no"}
	for name, text := range texts {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "/usr/local/bin/tokentube", program)), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput()
	if err != nil || strings.Contains(string(out), folder) || strings.Contains(string(out), "tokentube") {
		t.Errorf("%v: %s", err, out)
	}
}

// parseYAML parses YAML with the library that Gin depends on.
func parseYAML(t *testing.T, text string) map[string]any {
	t.Helper()
	parsed := map[string]any{}
	if err := binding.YAML.BindBody([]byte(text), &parsed); err != nil {
		t.Fatal(err)
	}
	return parsed
}

// in follows names through nested maps.
func in(t *testing.T, from any, names ...string) map[string]any {
	t.Helper()
	for _, name := range names {
		m, is := from.(map[string]any)
		if !is || m[name] == nil {
			t.Fatalf("there is no %s of %v", name, names)
		}
		from = m[name]
	}
	m, is := from.(map[string]any)
	if !is {
		t.Fatalf("%v is no map", names)
	}
	return m
}

var variable = regexp.MustCompile(`\$\{([A-Z0-9_]+)(?::([-?])([^}]*))?\}`)

// filled replaces ${NAME:-default} like Compose.
func filled(text string, env map[string]string) (string, error) {
	var err error
	text = variable.ReplaceAllStringFunc(text, func(whole string) string {
		m := variable.FindStringSubmatch(whole)
		switch value := env[m[1]]; {
		case value != "":
			return value
		case m[2] == "?":
			err = errors.Join(err, errors.New(m[1]+": "+m[3]))
		}
		if m[2] == "-" {
			return m[3]
		}
		return ""
	})
	return text, err
}

func TestComposeIsTrueToTheProgram(t *testing.T) {
	compose := parseYAML(t, read(t, "../compose.yaml"))
	site := in(t, compose, "services", "site")
	secrets := map[string]string{
		"ACCESS_TOKEN_SECRET": "access-token-secret-of-compose-0123456789", "REFRESH_TOKEN_SECRET": "refresh-token-secret-of-compose-0123456789",
		"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret",
	}
	image := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^ENV (.*)$`).FindAllStringSubmatch(read(t, "../Dockerfile"), -1) {
		for pair := range strings.FieldsSeq(line[1]) {
			name, value, _ := strings.Cut(pair, "=")
			image[name] = value
		}
	}
	// Pictures wait in TMPDIR on their way to the bucket, and nothing else in the image is writable.
	if volumes := regexp.MustCompile(`(?m)^VOLUME (\[.*\])$`).FindStringSubmatch(read(t, "../Dockerfile")); volumes == nil ||
		image["TMPDIR"] == "" || !strings.Contains(volumes[1], `"`+image["TMPDIR"]+`"`) {
		t.Errorf("the image's TMPDIR is %q, its volumes are %v", image["TMPDIR"], volumes)
	}
	delete(image, "TMPDIR")
	for _, set := range []map[string]string{secrets, {}} {
		env := maps.Clone(image)
		var missing error
		for name, value := range in(t, site, "environment") {
			text, is := value.(string)
			if !is {
				t.Errorf("%s is no text: quote it", name)
			}
			filled, err := filled(text, set)
			missing = errors.Join(missing, err)
			env[name] = filled
		}
		if len(set) == 0 {
			if missing == nil {
				t.Error("without secrets, it starts")
			}
			continue
		}
		cfg := usable(t, "compose.yaml", env)
		if missing != nil || cfg.MongoURI == "" || cfg.MediaURL == "" || cfg.MetricsAddr == "" {
			t.Errorf("%v; the site is %+v", missing, cfg)
		}
		stopsInTime(t, "stop_grace_period", site["stop_grace_period"].(string), cfg)
	}
	// Settings for the site in .env must have an effect.
	for _, name := range []string{"BASE_URL", "COOKIE_PREFIX", "TRUSTED_PROXIES", "SMTP_URL", "MAIL_FROM"} {
		if value, _ := in(t, site, "environment")[name].(string); !strings.Contains(value, "${"+name+":-") {
			t.Errorf("%s is %q", name, value)
		}
	}
}

// Everything that a service names exists, and what only services may reach is not published.
func TestComposeHoldsTogether(t *testing.T) {
	compose := parseYAML(t, read(t, "../compose.yaml"))
	services := in(t, compose, "services")
	for name := range services {
		s := in(t, services, name)
		if s["image"] == nil && s["build"] == nil {
			t.Errorf("%s has no image", name)
		}
		for _, network := range s["networks"].([]any) {
			if _, is := in(t, compose, "networks")[network.(string)]; !is {
				t.Errorf("%s is in no network %s", name, network)
			}
		}
		volumes, _ := s["volumes"].([]any)
		for _, volume := range volumes {
			source, _, _ := strings.Cut(volume.(string), ":")
			if _, is := in(t, compose, "volumes")[source]; !is && !strings.HasPrefix(source, ".") {
				t.Errorf("%s uses no volume %s", name, source)
			}
		}
		if s["depends_on"] != nil {
			for other, how := range in(t, s, "depends_on") {
				condition := in(t, how)["condition"]
				target := in(t, services, other)
				if condition == "service_healthy" && target["healthcheck"] == nil {
					t.Errorf("%s waits for the health of %s, which has no check", name, other)
				}
			}
		}
		ports, _ := s["ports"].([]any)
		for _, port := range ports {
			if name != "site" || !strings.HasPrefix(port.(string), "127.0.0.1:") {
				t.Errorf("%s publishes %s", name, port)
			}
		}
	}
	test := in(t, services, "site", "healthcheck")["test"].([]any)
	if _, err := commands.Parse([]string{test[len(test)-1].(string)}, io.Discard); err != nil {
		t.Error(err)
	}
}
