package models

import "strings"

// siteName is what no name of a channel may have in it: it would be taken for the site itself.
const siteName = "tokentube"

// staffWords are usernames that would be taken for those who run the site, also with a number after them.
const staffWords = `
	access admin administration administrator administrators admins billing bot developer developers helpdesk hostmaster
	mod moderation moderator moderators mods noreply no-reply official operator owner postmaster robot root security
	service staff superuser support sysadmin system team trust verified webmaster`

// siteWords are usernames that would be taken for a part of the site. Every first part of an address is among them, which a
// test of the routes checks.
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

// looks maps characters to the ones that they can be read as; separators are read over.
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

// reserved tells a username that is one of the site's own words, looks like one, or is put together of them ("adm1n",
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
	return true // also of nothing but separators
}

// one tells a single word. A 5 at the end of a word of the site is a number ("user5"), and no s.
func one(name string) bool {
	look := looks.Replace(name)
	return staffLooks[look] || staffLooks[looks.Replace(strings.TrimRight(name, "0123456789._-"))] ||
		siteLooks[look] && !strings.HasSuffix(name, "5")
}
