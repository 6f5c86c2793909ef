package controllers_test

import (
	"testing"

	"tokentube/e2e/testsite"
)

// TestLoginSaysWhy: the login page says why the visitor was sent there, and the menu marks the section that a page
// belongs to.
func TestLoginSaysWhy(t *testing.T) {
	site := testsite.New(t)
	visitor := site.Client()
	visitor.Get("/login?next=%2Fcreate%3Fkind%3Dphoto").Status(200).Has("Log in to create a post.")
	visitor.Get("/login?next=%2Fsomewhere").Status(200).Has("Log in to continue.")
	visitor.Get("/login").Status(200).HasNot("Log in to ")
	visitor.Get("/learn/jwt").Status(200).Has(`href="/learn" aria-current="true"`, `href="/" aria-current="false"`)
}
