package models

import "strings"

// siteName must not occur in the name of a channel: people would take it for the site itself.
const siteName = "tokentube"

// staffWords are usernames that people would take for the site's staff, even with a number appended.
const staffWords = `
	access admin administration administrator administrators admins billing bot developer developers helpdesk hostmaster
	mod moderation moderator moderators mods noreply no-reply official operator owner postmaster robot root security
	service staff superuser support sysadmin system team trust verified webmaster`

// siteWords are usernames that people would take for a part of the site. They include the first segment of every path,
// which a test of the routes checks.
const siteWords = `
	account accounts api app article assets auth blocks blog channel channels comments community confirm console contact copyright
	confirm-email create dashboard dev docs download email everyone export favicon.ico feed feeds follow forgot forgot-password guest
	health healthcheck healthz help history home images info internal jwks.json keys lab learn legal library liked likes live login logout mail me
	media new news not-me notice notifications null page pages password payment payments photo photos playlist playlists policy
	post posts press privacy profile public ready readyz register renew report reports reset reset-password robots.txt rules
	sales sample-content search secret sessions settings shorts signin signout signup site sitemap.xml spam static status
	studio subscriptions tag
	tags terms test theft token tokens trending tweets undefined upload user users verify video videos views watch
	welcome well-known www`

// looks maps characters to the ones that they look like; separators are ignored.
var looks = strings.NewReplacer(
	".", "", "_", "", "-", "",
	"0", "o", "1", "l", "i", "l", "2", "z", "3", "e", "4", "a", "5", "s", "6", "g", "7", "t", "8", "b", "9", "g",
	"rn", "m", "vv", "w",
)

var staffLooks, siteLooks = looksOf(staffWords), looksOf(siteWords)

func looksOf(words string) map[string]bool {
	all := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		all[looks.Replace(word)] = true
	}
	return all
}

// reserved reports whether a username is one of the site's own words, looks like one, or is composed of them ("adm1n",
// "a_d_m_i_n", "support-team", "admin2").
func reserved(username string) bool {
	if one(username) || strings.Contains(looks.Replace(username), looks.Replace(siteName)) {
		return true
	}
	parts := strings.FieldsFunc(username, func(r rune) bool { return strings.ContainsRune("._-", r) })
	for _, part := range parts {
		if !one(part) {
			return false
		}
	}
	return true // a name of nothing but separators too
}

// one checks a single word. A 5 at the end of one of the site's words is a digit ("user5"), not an s.
func one(name string) bool {
	look := looks.Replace(name)
	return staffLooks[look] || staffLooks[looks.Replace(strings.TrimRight(name, "0123456789._-"))] ||
		siteLooks[look] && !strings.HasSuffix(name, "5")
}
