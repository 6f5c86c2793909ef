package routes

import "tokentube/middlewares"

// article is where the API has what the article's project had, under the article's paths and aliases. A new feature needs
// no line here: its API is under /api/v1 at the path of its page.
var article = middlewares.Names{
	"GET /": {"/feed"},

	"POST /register":            {"/users/register"},
	"POST /login":               {"/users/login"},
	"POST /login/code":          {"/users/login/second"},
	"POST /logout":              {"/users/logout"},
	"POST /renew":               {"/users/regenerate-tokens"},
	"POST /forgot-password":     {"/users/forgot-password"},
	"POST /reset-password":      {"/users/reset-password"},
	"POST /confirm":             {"/users/confirm"},
	"GET /me":                   {"/users/get-current-user"},
	"GET /@:username":           {"/users/channel/:username"},
	"PATCH /settings/profile":   {"/users/update-user-fullname", "/users/update-user-bio"},
	"PATCH /settings/username":  {"/users/update-user-username"},
	"PATCH /settings/email":     {"/users/update-user-email"},
	"PATCH /settings/password":  {"/users/update-user-password"},
	"PATCH /settings/avatar":    {"/users/update-user-avatar"},
	"PATCH /settings/cover":     {"/users/update-user-coverImage"},
	"DELETE /settings/account":  {"/users/me"},
	"GET /settings/sessions":    {"/users/sessions"},
	"DELETE /settings/sessions": {"/users/sessions"},

	"DELETE /settings/sessions/:id":    {"/users/sessions/:id"},
	"GET /settings/security":           {"/users/security-log"},
	"DELETE /settings/security/notice": {"/users/security-log/notice"},

	"GET /settings/data/export": {"/users/export"},

	"GET /settings/factors":                  {"/users/factors"},
	"PUT /settings/factors/authenticator":    {"/users/factors/authenticator"},
	"PATCH /settings/factors/authenticator":  {"/users/factors/authenticator"},
	"DELETE /settings/factors/authenticator": {"/users/factors/authenticator"},
	"PUT /settings/factors/recovery-codes":   {"/users/factors/recovery-codes"},

	"GET /dashboard": {"/dashboard/stats"},
	"GET /studio":    {"/dashboard/videos"},
	"PATCH /studio":  {"/dashboard/videos"},
	"DELETE /studio": {"/dashboard/videos"},

	"GET /posts":                 {"/videos"},
	"POST /watch":                {"/videos/publish-video"},
	"GET /watch/:id":             {"/videos/:id"},
	"PATCH /watch/:id":           {"/videos/:id"},
	"DELETE /watch/:id":          {"/videos/:id"},
	"PATCH /watch/:id/toggle":    {"/videos/toggle/:id"},
	"POST /posts":                {"/tweets"},
	"GET /posts/text":            {"/tweets"},
	"GET /posts/text/of/:userId": {"/tweets/user/:userId"},
	"GET /posts/:id":             {"/tweets/:id"},
	"PATCH /posts/:id":           {"/tweets/:id"},
	"DELETE /posts/:id":          {"/tweets/:id"},
	"PUT /likes/v/:id":           {"/likes/v/:id", "/likes/t/:id"},
	"DELETE /likes/v/:id":        {"/likes/v/:id", "/likes/t/:id"},
	"POST /likes/v/:id/toggle":   {"/likes/toggle/v/:id", "/likes/toggle/t/:id"},
	"POST /likes/c/:id/toggle":   {"/likes/toggle/c/:id"},

	"POST /subscriptions/c/:id/toggle": {"/subscriptions/c/:id"},

	"POST /playlists":                   {"/playlist"},
	"GET /playlists/:id":                {"/playlist/:id"},
	"PATCH /playlists/:id":              {"/playlist/:id"},
	"DELETE /playlists/:id":             {"/playlist/:id"},
	"GET /playlists/user/:id":           {"/playlist/user/:id"},
	"GET /playlists/save/:id":           {"/playlist/save/:id"},
	"PATCH /playlists/add/:post/:id":    {"/playlist/add/:post/:id"},
	"PATCH /playlists/remove/:post/:id": {"/playlist/remove/:post/:id"},
	"PATCH /playlists/move/:post/:id":   {"/playlist/move/:post/:id"},
	"GET /playlists/watch-later":        {"/playlist/watch-later"},
	"PUT /playlists/watch-later/:id":    {"/playlist/watch-later/:id"},
	"DELETE /playlists/watch-later/:id": {"/playlist/watch-later/:id"},

	"GET /liked":          {"/likes/videos"},
	"GET /history":        {"/users/get-watch-history"},
	"PATCH /history":      {"/users/watch-history"},
	"DELETE /history":     {"/users/watch-history"},
	"PUT /history/:id":    {"/users/watch-history/:id"},
	"DELETE /history/:id": {"/users/watch-history/:id"},
}
