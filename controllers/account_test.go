package controllers_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// An administrator helps a user who lost their phone and their recovery codes, and ends sessions; the owner sees both.
func TestAdminsHelpPeopleIn(t *testing.T) {
	site, _, deliver := withMail(t)
	boss, alice, bob := adminOf(t, site, "boss"), site.User("alice"), site.User("bob")
	alice.TurnOnTwoSteps()
	deliver()
	boss.Get("/admin/accounts").Status(http.StatusOK).Has("Find").HasNot("Remove second steps")
	boss.Get("/admin/accounts?username=nobody").Status(http.StatusUnprocessableEntity).Has("Nobody has this name")
	boss.JSON("GET", "/api/v1/admin/accounts?username=nobody", nil).Status(http.StatusNotFound)
	boss.JSON("GET", "/api/v1/admin/accounts", nil).Status(http.StatusUnprocessableEntity)
	boss.Get("/admin/accounts?username=boss").Status(http.StatusOK).Has("Administrator").HasNot("Remove second steps", "Sign out every device")
	boss.Get("/admin/accounts?username=Alice@Example.com").Status(http.StatusOK).Has("Two-step login is on", "Remove second steps", "1 device logged in")
	account := boss.JSON("GET", "/api/v1/admin/accounts?username=alice", nil).Status(http.StatusOK).Data()
	if account["isTwoStep"] != true || account["sessionsCount"] != 1.0 {
		t.Errorf("%v", account)
	}
	path := "/admin/accounts/" + account["_id"].(string)
	bob.JSON("DELETE", "/api/v1"+path+"/factors", nil).Status(http.StatusForbidden)
	bob.JSON("DELETE", "/api/v1"+path+"/sessions", nil).Status(http.StatusForbidden)
	bob.Get("/admin/accounts?username=alice").Status(http.StatusForbidden)

	site.Clock.Advance(11 * time.Minute) // a stolen administrator session is not enough
	boss.JSON("DELETE", "/api/v1"+path+"/factors", nil).Status(http.StatusForbidden).Has("confirmation_required")
	boss.Get("/admin/accounts?username=alice").Status(http.StatusSeeOther)
	boss.PostForm("/confirm", url.Values{"password": {"correct horse battery staple"}}).Status(http.StatusSeeOther)

	boss.PostForm(path+"/factors?_method=DELETE", nil).Status(http.StatusSeeOther)
	boss.Get("/admin/accounts?username=alice").Status(http.StatusOK).Has("password alone").HasNot("Remove second steps")
	boss.PostForm(path+"/factors?_method=DELETE", nil).Status(http.StatusSeeOther) // changes nothing
	if told := deliver(); len(told) != 1 || told[0].To != "alice@example.com" || !strings.Contains(told[0].Text, "administrator") || strings.Contains(told[0].Text, "boss") {
		t.Errorf("the owner is told %v", told)
	}
	alice.Get("/settings/security").Status(http.StatusOK).Has("A moderator removed every second step from the login of the account @alice")
	boss.Get("/settings/security").Status(http.StatusOK).Has("You removed every second step from the login of the account @alice")
	if data := firstStep(site.Client(), "alice").Status(http.StatusOK).Data(); data["accessToken"] == nil {
		t.Errorf("the login answers %v", data)
	}

	if n := boss.JSON("DELETE", "/api/v1"+path+"/sessions", nil).Status(http.StatusOK).Data()["ended"]; n != 2.0 {
		t.Errorf("%v sessions ended", n)
	}
	if renew(alice) || !renew(bob) || !renew(boss) {
		t.Error("alice is still logged in, or somebody else is not")
	}
	site.SignIn("alice").Get("/settings/security").Status(http.StatusOK).Has("A moderator signed out every device of the account @alice")
}
