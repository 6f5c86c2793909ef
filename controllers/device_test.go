package controllers

import "testing"

func TestAgentsInWords(t *testing.T) {
	const webkit = " AppleWebKit/537.36 (KHTML, like Gecko) "
	for agent, want := range map[string]Place{
		"":                          {"Unknown device", "Unknown browser", ""},
		"<script>alert(1)</script>": {"Unknown device", "Unknown browser", ""},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" + webkit + "Chrome/140.0 Safari/537.36":             {"Windows computer", "Chrome", ""},
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64)" + webkit + "Chrome/140.0 Safari/537.36 Edg/140.0":   {"Windows computer", "Edge", ""},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)" + webkit + "Chrome/140.0 Safari/537.36 OPR/1": {"Mac", "Opera", ""},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.5 Safari/605":  {"Mac", "Safari", ""},
		"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 CriOS/140.0 Safari/604.1":   {"iPad", "Chrome", ""},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 FxiOS/140.0":       {"iPhone", "Firefox", ""},
		"Mozilla/5.0 (Linux; Android 10; K)" + webkit + "SamsungBrowser/28.0 Chrome/130.0 Safari/537":   {"Android device", "Samsung Internet", ""},
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                        {"Linux computer", "Firefox", ""},
		"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)" + webkit + "Chrome/140.0 Safari/537.36":              {"Chromebook", "Chrome", ""},
		"Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko":                         {"Windows computer", "Internet Explorer", ""},
		"curl/8.5.0":             {"Unknown device", "curl", ""},
		"Wget/1.21":              {"Unknown device", "Wget", ""},
		"Wget/1.21 (linux-gnu)":  {"Linux computer", "Wget", ""},
		"PostmanRuntime/7.43.0":  {"Unknown device", "Postman", ""},
		"Go-http-client/1.1":     {"Unknown device", "Go program", ""},
		"python-requests/2.32.3": {"Unknown device", "Python program", ""},
		"node":                   {"Unknown device", "JavaScript program", ""},
	} {
		if got := newPlace(agent, ""); got != want {
			t.Errorf("%s: %+v, want %+v", agent, got, want)
		}
	}
}
