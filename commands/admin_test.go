package commands_test

import (
	"testing"

	"tokentube/e2e/testsite"
)

func TestAdminsAreMadeAndListedAndUnmade(t *testing.T) {
	cfg := prepared(t)
	done(t, cfg, []string{"admin", "list"}, "There are no administrators.")
	done(t, cfg, []string{"admin", "add", "alice"}, "alice is an administrator now.")
	done(t, cfg, []string{"admin", "add", "Alice@Example.com"}, "is already an administrator")
	done(t, cfg, []string{"admin", "add", " BOB@example.com "}, "bob is an administrator now.")
	done(t, cfg, []string{"admin", "list"}, "alice <alice@example.com>\nbob <bob@example.com>\n")
	refused(t, cfg, []string{"admin", "add", "carol"}, `no user "carol"`)
	done(t, cfg, []string{"admin", "remove", "alice"}, "alice is no longer an administrator.")
	done(t, cfg, []string{"admin", "remove", "alice"}, "alice is not an administrator.")
	done(t, cfg, []string{"admin", "list"}, "bob <bob@example.com>\n")

	site := testsite.Start(t, cfg)
	site.SignIn("bob").JSON("GET", "/api/v1/users/get-current-user", nil).Status(200).Has(`"roles":["admin"]`)
	site.SignIn("alice").JSON("GET", "/api/v1/users/get-current-user", nil).Status(200).Has(`"roles":[]`)
}

func TestACommandNeedsTheFileForItself(t *testing.T) {
	cfg := prepared(t)
	if cfg.MongoURI != "" {
		t.Skip("a MongoDB is shared")
	}
	testsite.Start(t, cfg)
	refused(t, cfg, []string{"admin", "add", "alice"}, "in use by another process")
}
