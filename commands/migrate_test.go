package commands_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/e2e/testsite"
)

func TestMigrateNeedsATargetAndAStoppedSource(t *testing.T) {
	uri := os.Getenv("MONGODB_URI")
	cfg := embedded(t)
	refused(t, cfg, []string{"migrate"}, "MONGODB_URI")
	refused(t, cfg, []string{"migrate", "now"}, `"now" is too much`)
	site := testsite.Start(t, cfg)
	onMongo := cfg
	onMongo.MongoURI = "mongodb://127.0.0.1:1"
	refused(t, onMongo, []string{"migrate"}, "the site is running")
	site.Close()
	nowhere := elsewhere(t, onMongo)
	refused(t, nowhere, []string{"migrate"}, "there is no site in")
	if uri == "" {
		t.Skip("MONGODB_URI names no server: nothing was copied")
	}
	onMongo.MongoURI, onMongo.MongoDatabase = uri, "test_"+bson.NewObjectID().Hex()
	t.Cleanup(func() {
		client, err := mongo.Connect(options.Client().ApplyURI(uri))
		check(t, err)
		check(t, client.Database(onMongo.MongoDatabase).Drop(context.Background()))
		check(t, client.Disconnect(context.Background()))
	})
	before := tree(t, cfg.DataDir)
	done(t, onMongo, []string{"migrate"}, "users: 2", "every count agrees", cfg.MediaDir(), cfg.SecretsFile())
	same(t, "the source", before, tree(t, cfg.DataDir))
	if out := done(t, onMongo, []string{"migrate"}, "Nothing was done."); strings.Contains(out, "agrees") {
		t.Errorf("it says both: %s", out)
	}
	hasAliceAndHerPhoto(t, onMongo)
}
