package e2e_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// databaseLine is a connection to the MongoDB of MONGODB_URI that can be disturbed.
type databaseLine struct {
	t     *testing.T
	proxy *toxiproxy.Proxy
}

// openDatabaseLine skips the test if there is no MongoDB.
func openDatabaseLine(t *testing.T) *databaseLine {
	t.Helper()
	uri := os.Getenv("MONGODB_URI")
	if uri == "" {
		t.Skip("MONGODB_URI names no server")
	}
	o := options.Client().ApplyURI(uri)
	check(t, o.Validate())
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &databaseLine{t, toxiproxy.NewProxy(server, "database", "127.0.0.1:0", o.Hosts[0])}
	check(t, l.proxy.Start())
	t.Cleanup(l.proxy.Stop)
	return l
}

// uri is the address of the near end, with these options.
func (l *databaseLine) uri(opts string) string {
	return "mongodb://" + l.proxy.Listen + "/?directConnection=true&" + opts
}

// disturb adds a fault (a toxic of toxiproxy) in one direction: upstream for the site's requests, downstream for the
// responses.
func (l *databaseLine) disturb(kind, direction, attribute string, value int) {
	l.t.Helper()
	_, err := l.proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(
		`{"type": %q, "stream": %q, "attributes": {%q: %d}}`, kind, direction, attribute, value)))
	check(l.t, err)
}

// cut breaks all connections and accepts no new ones.
func (l *databaseLine) cut() { l.proxy.Stop() }

// flicker repeatedly cuts all connections, and accepts new ones immediately.
func (l *databaseLine) flicker() {
	l.t.Helper()
	for range 12 {
		l.proxy.Stop()
		check(l.t, l.proxy.Start())
		time.Sleep(time.Second) // the driver looks for a lost server twice a second
	}
}

// restore ends all faults.
func (l *databaseLine) restore() {
	l.t.Helper()
	l.proxy.Toxics.ResetToxics(context.Background())
	if !l.proxy.Enabled {
		check(l.t, l.proxy.Start())
	}
}
