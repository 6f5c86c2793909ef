// Package client shows how a program that is not a browser stays logged in: it sends the access token, renews the
// tokens after a 401, and retries once. client.mjs is the same in JavaScript.
package client

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
)

// Client calls the API as one user. It is safe for concurrent use.
type Client struct {
	Base string // such as https://tube.example.com/api/v1
	HTTP *http.Client

	mu              sync.Mutex // held while tokens are renewed
	access, refresh string
}

type tokens struct {
	Data struct {
		AccessToken  string `json:"accessToken"`
		RefreshToken string `json:"refreshToken"`
	} `json:"data"`
}

// Login begins a session.
func (c *Client) Login(identifier, password string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exchange("/users/login", map[string]string{"identifier": identifier, "password": password})
}

// Do calls the API. A call whose access token has expired is repeated once with a new one.
func (c *Client) Do(method, path string, body any) (*http.Response, error) {
	c.mu.Lock()
	used := c.access
	c.mu.Unlock()
	response, err := c.send(method, path, body, used)
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return response, err
	}
	_ = response.Body.Close()
	fresh, err := c.renew(used)
	if err != nil {
		return nil, err
	}
	return c.send(method, path, body, fresh)
}

// renew exchanges the tokens, once for all callers: those that waited for the lock find that the failed token has
// already been replaced.
func (c *Client) renew(failed string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.access == failed {
		if err := c.exchange("/users/regenerate-tokens", map[string]string{"RefreshToken": c.refresh}); err != nil {
			return "", err
		}
	}
	return c.access, nil
}

func (c *Client) exchange(path string, body any) error {
	response, err := c.send(http.MethodPost, path, body, "")
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("log in again: %s", response.Status)
	}
	var got tokens
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil {
		return err
	}
	c.access, c.refresh = got.Data.AccessToken, got.Data.RefreshToken
	return nil
}

func (c *Client) send(method, path string, body any, access string) (*http.Response, error) {
	content, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(method, c.Base+path, bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if access != "" {
		request.Header.Set("Authorization", "Bearer "+access)
	}
	return c.HTTP.Do(request)
}
