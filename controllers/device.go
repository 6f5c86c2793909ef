package controllers

import "strings"

// Place is where a request came from, in words.
type Place struct {
	Device  string `json:"device"`
	Browser string `json:"browser"`
	IP      string `json:"ip"`
}

// newPlace describes a User-Agent in words, all of them ours: nothing that the client wrote is shown.
func newPlace(agent, ip string) Place {
	return Place{
		Device:  firstOf(devices, agent, "Unknown device"),
		Browser: firstOf(browsers, agent, "Unknown browser"),
		IP:      ip,
	}
}

// sign is a part of a User-Agent and its meaning. More specific ones come first in the lists, because nearly every
// browser also names the ones that it imitates.
type sign struct{ part, meaning string }

var devices = []sign{
	{"iPhone", "iPhone"},
	{"iPad", "iPad"},
	{"Android TV", "Television"}, {"SMART-TV", "Television"}, {"Web0S", "Television"}, {"AppleTV", "Television"},
	{"PlayStation", "PlayStation"}, {"Xbox", "Xbox"}, {"Nintendo", "Nintendo"},
	{"Android", "Android device"},
	{"CrOS", "Chromebook"},
	{"Windows", "Windows computer"},
	{"Macintosh", "Mac"}, {"Darwin", "Apple device"},
	{"FreeBSD", "FreeBSD computer"}, {"OpenBSD", "OpenBSD computer"},
	{"Linux", "Linux computer"}, {"linux", "Linux computer"}, {"X11", "Unix computer"},
}

var browsers = []sign{
	{"EdgiOS/", "Edge"}, {"EdgA/", "Edge"}, {"Edg/", "Edge"}, {"Edge/", "Edge"},
	{"OPR/", "Opera"}, {"OPT/", "Opera"}, {"OPiOS/", "Opera"}, {"Opera", "Opera"},
	{"Vivaldi/", "Vivaldi"}, {"YaBrowser/", "Yandex Browser"}, {"DuckDuckGo/", "DuckDuckGo"}, {"Ddg/", "DuckDuckGo"},
	{"SamsungBrowser/", "Samsung Internet"}, {"UCBrowser/", "UC Browser"}, {"Silk/", "Amazon Silk"}, {"MiuiBrowser/", "Mi Browser"},
	{"FxiOS/", "Firefox"}, {"Focus/", "Firefox Focus"}, {"SeaMonkey/", "SeaMonkey"}, {"Firefox/", "Firefox"},
	{"CriOS/", "Chrome"}, {"HeadlessChrome/", "Chrome without a window"}, {"Chromium/", "Chromium"}, {"Chrome/", "Chrome"},
	{"Safari/", "Safari"}, {"AppleWebKit/", "Browser inside an app"},
	{"MSIE ", "Internet Explorer"}, {"Trident/", "Internet Explorer"},
	{"curl/", "curl"}, {"Wget", "Wget"}, {"HTTPie/", "HTTPie"}, {"PostmanRuntime/", "Postman"}, {"insomnia/", "Insomnia"}, {"bruno-runtime/", "Bruno"},
	{"Go-http-client/", "Go program"}, {"python", "Python program"}, {"Python", "Python program"}, {"aiohttp/", "Python program"},
	{"axios/", "JavaScript program"}, {"undici", "JavaScript program"}, {"node", "JavaScript program"}, {"Deno/", "JavaScript program"}, {"Bun/", "JavaScript program"},
	{"okhttp/", "Java program"}, {"Java/", "Java program"}, {"Java-http-client/", "Java program"}, {"Apache-HttpClient/", "Java program"},
	{"Dart/", "Dart program"}, {"GuzzleHttp/", "PHP program"}, {"Ruby", "Ruby program"}, {"reqwest/", "Rust program"}, {"PowerShell", "PowerShell"},
	{"CFNetwork/", "Program on an Apple device"},
}

func firstOf(signs []sign, agent, otherwise string) string {
	for _, s := range signs {
		if strings.Contains(agent, s.part) {
			return s.meaning
		}
	}
	return otherwise
}
