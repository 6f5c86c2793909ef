// Package templates holds the pages: layout.html is the frame of all of them,
// partials/ are pieces that several pages share, and each feature has a folder
// with its own pages, which define the blocks "title", "content" and, if need
// be, "head".
//
// It does not belong here: logic beyond if, range and the small functions of
// utils/respond; script or style inside a page (static/ has them, and the
// Content-Security-Policy refuses any other).
package templates

import "embed"

// FS has every template, under the names that utils/respond knows them by, and what mails say (utils/mail).
//
//go:embed layout.html */*.html mail
var FS embed.FS
