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

func TestAccountsAreDisabledAndEnabled(t *testing.T) {
	cfg := prepared(t)
	done(t, cfg, []string{"admin", "disable", "Alice"}, "alice is disabled now.")
	done(t, cfg, []string{"admin", "disable", "alice"}, "is disabled already")
	done(t, cfg, []string{"admin", "enable", "bob"}, "bob is not disabled.")
	done(t, cfg, []string{"admin", "add", "bob"}, "bob is an administrator now.")
	refused(t, cfg, []string{"admin", "disable", "bob"}, "the last administrator")
	refused(t, cfg, []string{"admin", "disable", "carol"}, `no user "carol"`)
	refused(t, cfg, []string{"admin", "burn", "alice"}, "disable or enable")

	site := testsite.Start(t, cfg)
	site.Client().JSON("POST", "/api/v1/users/login", testsite.M{"identifier": "alice", "password": testsite.Password}).Status(403)
	site.Client().Get("/@alice").Status(404)
	site.Close()
	done(t, cfg, []string{"admin", "enable", "alice"}, "alice is enabled now.")
	site = testsite.Start(t, cfg)
	site.SignIn("alice").Get("/@alice").Status(200)
}

func TestSecondStepsAreRemoved(t *testing.T) {
	cfg := prepared(t)
	done(t, cfg, []string{"admin", "one-step", "alice"}, "has no second step")
	refused(t, cfg, []string{"admin", "one-step", "carol"}, `no user "carol"`)
	site := testsite.Start(t, cfg)
	site.SignIn("alice").TurnOnTwoSteps()
	site.Close()
	done(t, cfg, []string{"admin", "one-step", "Alice"}, "alice logs in with the password alone now.")
	testsite.Start(t, cfg).SignIn("alice").Get("/settings/factors").Status(200).Has("It’s off")
}
