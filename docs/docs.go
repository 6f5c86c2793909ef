// Package docs holds the one document that the site itself shows.
//
// Does not belong here: code.
package docs

import _ "embed"

// FromExpress lists what is called what here and in the article's backend.
//
//go:embed from-express.md
var FromExpress string
