package config

import (
	"strings"
	"testing"
)

func TestSMTPAddresses(t *testing.T) {
	for text, good := range map[string]bool{
		"smtps://user:p%40ss@mail.example.com:465": true,
		"smtp://mail.example.com":                  true,
		"smtp://localhost:25?tls=off":              true,
		"smtp://127.0.0.1?tls=off":                 true,
		"smtp://mail.example.com?tls=off":          false,
		"smtps://localhost?tls=off":                false,
		"smtp://mail.example.com?tls=no":           false,
		"http://mail.example.com":                  false,
		"mail.example.com:25":                      false,
		"smtp://":                                  false,
		"smtp://user:secret word@host":             false,
		"smtp://user:secret@host:port":             false,
	} {
		_, err := SMTPAddress(text)
		if (err == nil) != good {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("the error quotes the password: %v", err)
		}
	}
}
