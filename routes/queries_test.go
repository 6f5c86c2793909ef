package routes_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"tokentube/e2e/testsite"
)

// mostQueries is how many queries a page makes at most, whatever it shows.
const mostQueries = 24

// No page makes more queries when there is more to show. The routes are found in the engine, and what they show is made
// by its other routes, so that a new page needs no edit here.
func TestPagesMakeAFixedNumberOfQueries(t *testing.T) {
	few, many := queriesOfPages(t, 3), queriesOfPages(t, 18)
	if len(many) < 40 || many["GET /api/v1/feed"] == 0 || many["GET /api/v1/comments/:id"] == 0 {
		t.Errorf("only these were counted: %v", many)
	}
	for _, r := range slices.Sorted(maps.Keys(many)) {
		if many[r] > few[r]+2 || many[r] > mostQueries { // 2: a cache may have forgotten
			t.Errorf("%s makes %d queries, and %d where there is little to show", r, many[r], few[r])
		}
	}
}

// The check finds a page that asks once for each thing it shows.
func TestAPageThatAsksOnceForEachIsFound(t *testing.T) {
	site := testsite.New(t)
	alice := crowded(t, site, 5)
	asked := func(path string) int64 {
		before := site.DB.Queries()
		alice.Get(path).Status(http.StatusOK)
		return site.DB.Queries() - before
	}
	var two, all int64
	for range 3 { // a cache may forget something in between
		if two, all = asked("/api/v1/videos?limit=2"), asked("/api/v1/videos?limit=100"); two == all { // the viewer's and another user's
			break
		}
	}
	if two == 0 || two != all {
		t.Errorf("%d queries for two posts, %d for all", two, all)
	}
}

// crowded is a user of a site with n of everything that users make: other users, each with posts, and whatever this
// user can make, add or send with each of them.
func crowded(t *testing.T, site *testsite.Site, n int) *testsite.Client {
	t.Helper()
	alice := site.User("alice")
	for i := range n {
		other := site.User(fmt.Sprint("person", i))
		other.JSON("POST", "/api/v1/tweets", testsite.M{"content": "mine"}).Status(http.StatusCreated)
		alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "mine"}).Status(http.StatusCreated)
	}
	var ids []string
	for _, d := range site.Documents() {
		if d.Collection == "posts" || d.Collection == "users" {
			ids = append(ids, d.ID())
		}
	}
	for _, r := range privateRoutes(allRoutes(site)) {
		if r.method != http.MethodPost && r.method != http.MethodPut || r.params() != 1 || !r.isAPI() || strings.Contains(r.path, "toggle") || strings.Contains(r.path, "block") {
			continue
		}
		for _, id := range ids {
			alice.JSON(r.method, r.to(id), testsite.M{"content": "mine", "name": "mine"})
		}
	}
	return alice
}

// queriesOfPages counts what each GET route asks the database, at most, with the ids of a few documents of each kind.
func queriesOfPages(t *testing.T, n int) map[string]int64 {
	t.Helper()
	site := testsite.New(t)
	alice := crowded(t, site, n)
	ids, of := []string{"alice"}, map[string]int{}
	for _, d := range site.Documents() {
		if of[d.Collection]++; d.ID() != "" && of[d.Collection] <= 4 {
			ids = append(ids, d.ID())
		}
	}
	most := map[string]int64{}
	for _, r := range allRoutes(site) {
		if r.method != http.MethodGet || strings.HasPrefix(r.path, "/static/") {
			continue
		}
		for _, id := range ids {
			for _, query := range []string{"?q=mine", "?tab=subscriptions", "?tab=trending", "?tab=playlists", "?query=mine"} {
				before := site.DB.Queries()
				answer := alice.Do(httptest.NewRequest(r.method, "https://localhost"+r.to(id)+query, nil))
				if answer.Code == http.StatusOK {
					most[r.String()] = max(most[r.String()], site.DB.Queries()-before)
				}
			}
			if r.params() == 0 {
				break
			}
		}
	}
	return most
}
