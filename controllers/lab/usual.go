package lab

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokentube/middlewares"
)

// usual is a model of the usual way: one refresh token for each user, stored as it is, compared and overwritten.
// It responds as the article's backend did when we ran it (/learn/compared). DO NOT COPY IT: it exists for its faults.
//
// Only experiments call it. It lasts as long as one experiment, has a single user, its own keys and no route, stores
// nothing and gives access to nothing.
type usual struct {
	*http.ServeMux
	accessKey, refreshKey []byte
	clock                 func() time.Time
	ahead                 time.Duration // how far its clock is ahead: time that the experiment doesn't have to wait for
	turn                  chan struct{} // limits the requests served at the same time

	mu     sync.Mutex // as in a database, held for a single read or write
	stored string     // the field refreshToken of the only user
	issued []middlewares.Pair
}

// usualUser are the claims about the model's user.
var usualUser = jwt.MapClaims{"_id": "6650a1b2c3d4e5f601234567", "email": "alice@example.com", "username": "alice", "fullName": "Alice"}

// newUsual makes the model, with its user logged in.
func newUsual(clock func() time.Time) (*usual, middlewares.Pair) {
	// In our tests, that backend let two of eight concurrent renewals through, so two may be between comparing and
	// overwriting here.
	u := &usual{ServeMux: http.NewServeMux(), accessKey: []byte(rand.Text()), refreshKey: []byte(rand.Text()), clock: clock, turn: make(chan struct{}, 2)}
	u.HandleFunc("GET /usual", u.guarded(u.currentUser))
	u.HandleFunc("POST /usual/renew", u.renew)
	u.HandleFunc("POST /usual/logout", u.guarded(u.logOut))
	u.HandleFunc("POST /usual/password", u.guarded(u.changePassword))
	pair := u.makeTokens() // which is all that login does
	u.ahead = time.Second  // tokens have no jti: those issued within one second are identical, so nothing would be replaced
	return u, pair
}

func (u *usual) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u.turn <- struct{}{}
	defer func() { <-u.turn }()
	u.ServeMux.ServeHTTP(w, r)
}

// sign makes a token: no jti, no issuer, no audience, no type.
func (u *usual) sign(key []byte, life time.Duration) string {
	claims := jwt.MapClaims{"iat": u.now().Unix(), "exp": u.now().Add(life).Unix()}
	for name, value := range usualUser {
		claims[name] = value
	}
	raw, _ := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(key) // only fails if the key is not bytes
	return raw
}

func (u *usual) makeTokens() middlewares.Pair {
	pair := middlewares.Pair{Access: u.sign(u.accessKey, accessTTL), Refresh: u.sign(u.refreshKey, maxAge)}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stored = pair.Refresh // this logs out whoever logged in or renewed before
	u.issued = append(u.issued, pair)
	return pair
}

func (u *usual) valid(raw string, key []byte) bool {
	_, err := jwt.Parse(raw, func(*jwt.Token) (any, error) { return key, nil }, jwt.WithValidMethods([]string{"HS256", "HS384", "HS512"}), jwt.WithTimeFunc(u.now))
	return err == nil
}

// given is the token from a cookie, or else from the header.
func given(r *http.Request, cookie string) string {
	if k, err := r.Cookie(cookie); err == nil && k.Value != "" {
		return k.Value
	}
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// guarded lets requests pass whose access token is correctly signed and unexpired. It checks nothing else: no session,
// no logout.
func (u *usual) guarded(action http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch raw := given(r, "AccessToken"); {
		case raw == "":
			usualError(w, http.StatusUnauthorized, "No token provided")
		case !u.valid(raw, u.accessKey):
			usualError(w, http.StatusInternalServerError, "Internal Server Error") // whatever is wrong with it
		default:
			action(w, r)
		}
	}
}

func (u *usual) currentUser(w http.ResponseWriter, _ *http.Request) {
	usualSuccess(w, http.StatusOK, "User fetched successfully", usualUser)
}

// renew compares the refresh token with the stored one, then overwrites that. These are two steps, between which other
// requests get through.
func (u *usual) renew(w http.ResponseWriter, r *http.Request) {
	raw := given(r, "RefreshToken")
	u.mu.Lock()
	same := raw == u.stored
	u.mu.Unlock()
	switch {
	case raw == "":
		usualError(w, http.StatusUnauthorized, "No token provided")
	case !u.valid(raw, u.refreshKey):
		usualError(w, http.StatusInternalServerError, "Internal Server Error")
	case !same:
		usualError(w, http.StatusUnauthorized, "Token do not match")
	default:
		pair := u.makeTokens()
		setUsual(w, pair, "")
		usualSuccess(w, http.StatusCreated, "New tokens generated successfully", map[string]any{"accessToken": pair.Access, "refreshToken": pair.Refresh})
	}
}

// logOut blanks the field and the cookies. Copies of the access token stay valid.
func (u *usual) logOut(w http.ResponseWriter, _ *http.Request) {
	u.mu.Lock()
	u.stored = ""
	u.mu.Unlock()
	setUsual(w, middlewares.Pair{}, "; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
	usualSuccess(w, http.StatusOK, "User logged out successfully", nil)
}

// changePassword would store another hash here. It leaves all tokens valid.
func (u *usual) changePassword(w http.ResponseWriter, _ *http.Request) {
	usualSuccess(w, http.StatusOK, "User new password updated successfully", nil)
}

// setUsual sets both cookies, without SameSite and without an expiry.
func setUsual(w http.ResponseWriter, pair middlewares.Pair, more string) {
	w.Header().Add("Set-Cookie", "AccessToken="+pair.Access+"; Path=/"+more+"; HttpOnly; Secure")
	w.Header().Add("Set-Cookie", "RefreshToken="+pair.Refresh+"; Path=/"+more+"; HttpOnly; Secure")
}

func usualSuccess(w http.ResponseWriter, status int, message string, data any) {
	writeUsual(w, status, map[string]any{"statusCode": status, "message": message, "success": true, "data": data})
}

func usualError(w http.ResponseWriter, status int, message string) {
	writeUsual(w, status, map[string]any{"statusCode": status, "userMessage": message, "errors": []string{}, "success": false, "data": nil})
}

func writeUsual(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // can't fail: it writes to memory
}

// What follows implements server for the experiments.

func (u *usual) address() string { return "http://usual.example/usual" }

func (u *usual) cookies() (access, refresh string) { return "AccessToken", "RefreshToken" }

func (u *usual) usable(middlewares.Pair) bool { return true } // each experiment starts with a login

func (u *usual) now() time.Time { return u.clock().Add(u.ahead) }

func (u *usual) pass(_ context.Context, d time.Duration) error {
	u.ahead += d
	return nil
}

func (u *usual) tell(news) {}

func (u *usual) look(middlewares.Pair) (state, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.stored == "" {
		return state{over: true}, nil
	}
	return state{newest: u.nameOf("R", u.stored)}, nil
}

func (u *usual) name(raw string) string {
	if name := u.nameOf("A", raw); name != "" {
		return name
	}
	return u.nameOf("R", raw)
}

// nameOf numbers tokens in the order they were issued: those issued within one second are the same.
func (u *usual) nameOf(kind, raw string) string {
	same := func(p middlewares.Pair) bool { return raw == map[string]string{"A": p.Access, "R": p.Refresh}[kind] }
	different := slices.CompactFunc(slices.Clone(u.issued), func(a, b middlewares.Pair) bool { return a == b })
	if i := slices.IndexFunc(different, same); i >= 0 {
		return kind + fmt.Sprint(i+1)
	}
	return ""
}
