// Package static holds what the browser fetches as it is: style sheets, small
// JavaScript modules, the icon sprite.
//
// It does not belong here: bundles made by a tool, files of third parties.
package static

import "embed"

// FS has every file, under its address without "/static/".
//
//go:embed css/*.css js/*.js *.svg *.png
var FS embed.FS
