package client_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokentube/e2e/client"
	"tokentube/e2e/testsite"
)

// live is a site on a real port that counts its renewals. Calling /hour advances the clock by an hour, /logout-all ends
// every session of alice.
func live(t *testing.T) (address string, renewals *atomic.Int32) {
	t.Helper()
	site := testsite.New(t)
	alice := site.User("alice")
	renewals = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/hour":
			site.Clock.Advance(time.Hour)
			return
		case r.URL.Path == "/end":
			alice.JSON("PATCH", "/api/v1/users/update-user-password", testsite.M{
				"oldPassword": testsite.Password, "newPassword": "quite another password", "confirmPassword": "quite another password",
			}).Status(http.StatusOK)
			return
		case strings.HasSuffix(r.URL.Path, "/regenerate-tokens"):
			renewals.Add(1)
		}
		site.Handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, renewals
}

func TestGoClientRenewsOnceForAllItsCalls(t *testing.T) {
	address, renewals := live(t)
	c := &client.Client{Base: address + "/api/v1", HTTP: http.DefaultClient}
	if err := c.Login("alice", testsite.Password); err != nil {
		t.Fatal(err)
	}
	get(t, address+"/hour")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			answer, err := c.Do(http.MethodGet, "/users/get-current-user", nil)
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Errorf("%v, %v", answer, err)
			}
		})
	}
	all.Wait()
	if renewals.Load() != 1 {
		t.Errorf("%d renewals for 20 calls", renewals.Load())
	}
	get(t, address+"/end")
	if _, err := c.Do(http.MethodGet, "/users/get-current-user", nil); err == nil || renewals.Load() != 2 {
		t.Errorf("after the end of the session: %v, %d renewals", err, renewals.Load())
	}
}

func get(t *testing.T, address string) {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}

func TestJavaScriptClientRenewsOnceForAllItsCalls(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("node is missing")
		}
		t.Skip("node is not installed")
	}
	address, renewals := live(t)
	script := `
import { Client } from "./client.mjs";
const [address, password] = process.argv.slice(2);
const c = new Client(address + "/api/v1");
await c.login("alice", password);
await fetch(address + "/hour");
const answers = await Promise.all(Array.from({ length: 20 }, () => c.call("GET", "/users/get-current-user")));
console.log(answers.map((a) => a.status).filter((s) => s !== 200).length, "failed");
await fetch(address + "/end");
await c.call("GET", "/users/get-current-user").then((a) => console.log("went on", a.status), (e) => console.log(e.message));
`
	node := exec.Command("node", "--input-type=module", "-", address, testsite.Password)
	node.Stdin = strings.NewReader(script)
	out, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if want := "0 failed\nlog in again: 401\n"; string(out) != want || renewals.Load() != 2 {
		t.Errorf("%q, %d renewals; want %q and 2", out, renewals.Load(), want)
	}
}
