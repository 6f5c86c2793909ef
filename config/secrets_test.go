package config

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/joho/godotenv"
)

func TestSecretsAreMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	first, err := Load(map[string]string{"DATA_DIR": dir})
	if err != nil {
		t.Fatal(err)
	}
	if weak(first.AccessTokenSecret) || weak(first.RefreshTokenSecret) || first.AccessTokenSecret == first.RefreshTokenSecret {
		t.Error("the secrets are weak or equal")
	}
	info, err := os.Stat(filepath.Join(dir, "secrets.env"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("secrets.env: %v, %v", info, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info, err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("drafts were left behind: %v", files)
	}
	second, err := Load(map[string]string{"DATA_DIR": dir})
	if err != nil || second.AccessTokenSecret != first.AccessTokenSecret || second.RefreshTokenSecret != first.RefreshTokenSecret {
		t.Errorf("the second start has other secrets, %v", err)
	}
	one, err := Load(map[string]string{"DATA_DIR": dir, accessSecret: goodAccess})
	if err != nil || one.AccessTokenSecret != goodAccess || one.RefreshTokenSecret != first.RefreshTokenSecret {
		t.Errorf("a secret that is given does not go before the kept one, %v", err)
	}
}

func TestTwoFirstStartsAgree(t *testing.T) {
	for range 20 {
		dir := t.TempDir()
		var got [4]Config
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() {
				var err error
				if got[i], err = Load(map[string]string{"DATA_DIR": dir}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, c := range got {
			if c.AccessTokenSecret == "" || c.AccessTokenSecret != got[0].AccessTokenSecret || c.RefreshTokenSecret != got[0].RefreshTokenSecret {
				t.Fatal("two starts made different secrets")
			}
		}
	}
}

func TestNoSecretsAreMadeWhenTheStartFailsAnyway(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := Load(map[string]string{"DATA_DIR": dir, "PORT": "x"}); err == nil {
		t.Fatal("no error")
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the folder was made: %v", err)
	}
}

func TestBadSecretsAreRefused(t *testing.T) {
	for name, secret := range map[string]string{
		"short":            goodAccess[:31],
		"one character":    strings.Repeat("a", 64),
		"few characters":   strings.Repeat("abcdefghi", 8),
		"change me":        "ChangeMe-" + goodAccess,
		"your secret":      "your_secret_" + goodAccess,
		"a placeholder":    goodAccess + "-placeholder",
		"from the example": "EXAMPLE" + goodAccess,
	} {
		for _, variable := range []string{accessSecret, refreshSecret} {
			_, err := Load(with(map[string]string{variable: secret}))
			if err == nil || !strings.HasPrefix(err.Error(), variable+" must be at least 32 random bytes") {
				t.Errorf("%s, %s: %v", variable, name, err)
			}
		}
	}
	_, err := Load(with(map[string]string{refreshSecret: goodAccess}))
	if err == nil || !strings.HasPrefix(err.Error(), refreshSecret+" must differ") || strings.Contains(err.Error(), goodAccess) {
		t.Errorf("equal secrets: %v", err)
	}
}

func TestMissingSecretsStopTheStartWhereProcessesMustAgree(t *testing.T) {
	for _, env := range []map[string]string{
		{"APP_ENV": "production"},
		{"MONGODB_URI": "mongodb://localhost"},
		{"APP_ENV": "production", accessSecret: goodAccess},
		{"MONGODB_URI": "mongodb://localhost", refreshSecret: goodRefresh},
	} {
		env["DATA_DIR"] = t.TempDir()
		_, err := Load(env)
		if err == nil {
			t.Fatalf("%v: the start went on", env)
		}
		if files, _ := os.ReadDir(env["DATA_DIR"]); len(files) != 0 {
			t.Errorf("%v: something was written", env)
		}
		var pasted []string
		for line := range strings.Lines(err.Error()) {
			if line = strings.TrimSpace(line); strings.Contains(line, "_SECRET=") {
				pasted = append(pasted, line)
			}
		}
		pair, parseErr := godotenv.Unmarshal(strings.Join(pasted, "\n"))
		if parseErr != nil || len(pair) != 2 {
			t.Fatalf("%v: no pair to paste in: %v", env, err)
		}
		pair["APP_ENV"] = "production"
		if _, err := Load(pair); err != nil {
			t.Errorf("%v: the pair that is offered is refused: %v", env, err)
		}
	}
}

func TestDamagedSecretsFileStopsTheStart(t *testing.T) {
	for name, content := range map[string]string{
		"empty":           "",
		"one secret":      accessSecret + "=" + goodAccess + "\n",
		"an empty secret": accessSecret + "=" + goodAccess + "\n" + refreshSecret + "=\n",
		"garbage":         "NOT A PAIR\n" + accessSecret + "=" + goodAccess + "\n",
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "secrets.env")
		write(t, file, content)
		_, err := Load(map[string]string{"DATA_DIR": dir})
		if err == nil || !strings.HasPrefix(err.Error(), "DATA_DIR cannot keep the token secrets: ") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if strings.Contains(err.Error(), goodAccess) {
			t.Errorf("%s: the message tells a secret: %v", name, err)
		}
		if now, _ := os.ReadFile(file); string(now) != content {
			t.Errorf("%s: the file was changed", name)
		}
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secrets.env"), accessSecret+"=short\n"+refreshSecret+"="+goodRefresh+"\n")
	if _, err := Load(map[string]string{"DATA_DIR": dir}); err == nil || !strings.HasPrefix(err.Error(), accessSecret) {
		t.Errorf("a kept secret that is weak: %v", err)
	}
}

func TestDataDirThatCannotBeUsedStopsTheStart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	dirs := map[string]string{"a file": file, "below a file": filepath.Join(file, "data")}
	if os.Getuid() != 0 { // root may read everything
		closed := filepath.Join(t.TempDir(), "closed")
		if err := os.Mkdir(closed, 0o000); err != nil {
			t.Fatal(err)
		}
		dirs["unreadable"] = closed
	}
	for name, dir := range dirs {
		if _, err := Load(map[string]string{"DATA_DIR": dir}); err == nil || !strings.HasPrefix(err.Error(), "DATA_DIR cannot keep the token secrets: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPreviousSecretsMustBeGoodAndDifferent(t *testing.T) {
	const access, refresh = "ACCESS_TOKEN_SECRET_PREVIOUS", "REFRESH_TOKEN_SECRET_PREVIOUS"
	const other = "U4W6CZ2K7QXB3TNVJ5DRYHMPGLASFEOI"
	c, err := Load(with(map[string]string{access: other, refresh: strings.ToLower(other)}))
	if err != nil || c.AccessTokenSecretPrevious != other || c.RefreshTokenSecretPrevious != strings.ToLower(other) {
		t.Errorf("previous secrets: %v", err)
	}
	for _, test := range []struct {
		env  map[string]string
		want string
	}{
		{map[string]string{access: other[:31]}, access + " must be at least 32 random bytes"},
		{map[string]string{refresh: "changeme" + other}, refresh + " must be at least 32 random bytes"},
		{map[string]string{access: goodAccess}, access + " must differ from " + accessSecret},
		{map[string]string{access: goodRefresh}, access + " must differ from " + refreshSecret},
		{map[string]string{refresh: goodAccess}, refresh + " must differ from " + accessSecret},
		{map[string]string{refresh: goodRefresh}, refresh + " must differ from " + refreshSecret},
		{map[string]string{access: other, refresh: other}, refresh + " must differ from " + access},
	} {
		if _, err := Load(with(test.env)); err == nil || err.Error() != test.want {
			t.Errorf("%v: %v", test.env, err)
		}
	}
}

// With a private key the access secret is unused: it may be missing, and its earlier value may be given as the previous
// one.
func TestAccessSecretIsNotNeededWithAPrivateKey(t *testing.T) {
	f := newKeyFiles(t)
	env := map[string]string{
		"APP_ENV": "production", "JWT_ALG": "EdDSA", "JWT_PRIVATE_KEY_FILE": f.at("ed"),
		refreshSecret: goodRefresh, accessSecret + "_PREVIOUS": goodAccess,
	}
	if _, err := Load(env); err != nil {
		t.Errorf("without it: %v", err)
	}
	env[accessSecret] = goodAccess
	if c, err := Load(env); err != nil || c.AccessTokenSecretPrevious != goodAccess {
		t.Errorf("with it, the same: %v", err)
	}
	env[accessSecret+"_PREVIOUS"] = goodRefresh
	if _, err := Load(env); err == nil || err.Error() != accessSecret+"_PREVIOUS must differ from "+refreshSecret {
		t.Errorf("equal to the refresh secret: %v", err)
	}
}
