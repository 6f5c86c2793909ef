package commands_test

import (
	"os"
	"strings"
	"testing"

	"tokentube/e2e/testsite"
)

func TestCompactGivesBackWhatWasDeleted(t *testing.T) {
	t.Setenv("MONGODB_URI", "")
	cfg := prepared(t, func(s *testsite.Site) {
		alice := s.SignIn("alice")
		var ids []string
		for range 100 {
			ids = append(ids, alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": strings.Repeat("long ", 390)}).Status(201).ID())
		}
		for _, id := range ids {
			alice.JSON("DELETE", "/api/v1/tweets/"+id, nil).Status(200)
		}
		s.DB.WaitRemovals()
	})
	before, err := os.Stat(cfg.DatabaseFile())
	check(t, err)
	done(t, cfg, []string{"compact"}, cfg.DatabaseFile(), "were free")
	after, err := os.Stat(cfg.DatabaseFile())
	check(t, err)
	if after.Size() >= before.Size() || after.Mode().Perm() != 0o600 {
		t.Errorf("from %d to %d bytes, %v", before.Size(), after.Size(), after.Mode())
	}
	site := testsite.Start(t, cfg)
	site.SignIn("alice").Get("/").Status(200).Has("hello from alice")
	site.Close()

	refused(t, elsewhere(t, cfg), []string{"compact"}, "there is no site in")
	onMongo := cfg
	onMongo.MongoURI = "mongodb://127.0.0.1:1"
	refused(t, onMongo, []string{"compact"}, "MongoDB")
}
