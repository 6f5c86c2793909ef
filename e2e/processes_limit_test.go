package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"tokentube/e2e/testsite"
)

// Guesses at a password count together in both processes.
func (p pair) limitLogins(t *testing.T) {
	p.with(t).one.register("bob")
	guesses := make([]int, 24)
	var all sync.WaitGroup
	for i := range guesses {
		all.Go(func() {
			answer, err := newVisitor().call(t.Context(), "POST", []*process{p.one, p.two}[i%2].base+"/api/v1/users/login",
				testsite.M{"identifier": "bob", "password": fmt.Sprint("guess number ", i)})
			if err != nil {
				t.Error(err)
				return
			}
			guesses[i] = answer.StatusCode
		})
	}
	all.Wait()
	wrong := 0
	for _, code := range guesses {
		switch code {
		case http.StatusUnauthorized:
			wrong++
		case http.StatusTooManyRequests:
		default:
			t.Errorf("a guess is answered %d", code)
		}
	}
	if wrong != 10 { // as many as one account may have, see middlewares/limits.go
		t.Errorf("%d guesses were looked at: %v", wrong, guesses)
	}
	for _, process := range []*process{p.one, p.two} {
		answer, err := newVisitor().call(t.Context(), "POST", process.base+"/api/v1/users/login", testsite.M{"identifier": "bob", "password": testsite.Password})
		check(t, err)
		if answer.StatusCode != http.StatusTooManyRequests || answer.Header.Get("Retry-After") == "" {
			t.Errorf("a process lets in after the limit: %s", answer)
		}
	}
}
