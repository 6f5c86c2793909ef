package e2e_test

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"

	"tokentube/e2e/testsite"
)

const (
	subscribeForm   = `document.querySelector("form[action^='/subscriptions/']")`
	subscribeButton = subscribeForm + `?.querySelector("button")`
	shareButton     = `document.querySelector("[data-share]")`
)

// subscribed waits until the button is pressed, or not, and shows the count.
func (p *tab) subscribed(pressed, count string) {
	p.t.Helper()
	p.until("a subscribe button that says "+count, `((b) => b?.form.ariaBusy !== "true" && b?.getAttribute("aria-pressed") === `+quote(pressed)+
		` && b.querySelector("[data-count]").textContent === `+quote(count)+`)(`+subscribeButton+`)`)
}

// TestSubscribing subscribes with scripts, without, and where the server refuses.
func TestSubscribing(t *testing.T) {
	s := open(t)
	s.User("alice").JSON("POST", "/api/v1/tweets", testsite.M{"content": "Hello from alice"}).Status(201)
	s.User("bob")
	p := s.Browser()
	p.Go("/login?next=/@alice")
	p.logIn("bob", testsite.Password)
	p.At("/@alice")
	p.subscribed("false", "0")
	p.enhanced(subscribeForm, "submit")
	p.click(subscribeButton)
	p.subscribed("true", "1")
	p.At("/@alice") // still
	p.Reload()
	p.subscribed("true", "1")

	// Another tab unsubscribes: doing it again here changes nothing.
	s.SignIn("bob").JSON("POST", "/api/v1/subscriptions/c/"+s.SignIn("alice").JSON("GET", "/api/v1/users/get-current-user", nil).ID(), nil).Status(200)
	p.enhanced(subscribeForm, "submit")
	p.click(subscribeButton)
	p.subscribed("false", "0")

	// Refused: the button changes back, and the page says why.
	carol := s.User("carol")
	p.Go("/@carol")
	p.enhanced(subscribeForm, "submit")
	carol.JSON("DELETE", "/api/v1/users/me", testsite.M{"password": testsite.Password}).Status(200)
	p.Expect("status of 404")
	p.click(subscribeButton)
	p.Sees("Not found.")
	p.subscribed("false", "0")

	q := p.Tab().withoutScripts()
	q.Go("/@alice")
	q.click(subscribeButton)
	q.Sees("Subscribed.")
	q.At("/@alice")
	q.subscribed("true", "1")
	q.Go("/subscriptions")
	q.Sees("The alice")
	q.click(subscribeButton)
	q.Sees("No subscriptions yet")
}

// TestHistory watches a part of a video, and resumes there.
func TestHistory(t *testing.T) {
	s := open(t)
	alice := s.User("alice")
	path := "/watch/" + alice.Upload("POST", "/api/v1/videos/publish-video", map[string]string{"title": "A square goes by"},
		testsite.File{Field: "videoFile", Name: "video.mp4", Content: testsite.Video}).Status(201).ID()
	const video = `document.querySelector("video")`
	s.User("bob")
	p := s.Browser()
	p.Go("/login?next=" + path)
	p.logIn("bob", testsite.Password)
	p.At(path)
	p.until("a video that can be played", video+".readyState >= 2")
	p.enhanced(video, "pause")
	position := func() float64 {
		list := s.SignIn("bob").JSON("GET", "/api/v1/users/get-watch-history", nil).Status(200).Data()["videos"].([]any)
		return list[0].(testsite.M)["position"].(float64)
	}
	if at := position(); at != 0 {
		t.Errorf("before it is played, the position is %v", at)
	}
	evaluate[any](p, `(async (v) => { await v.play(); v.currentTime = 1.5; v.pause(); })(`+video+`)`)
	p.poll("the position to be kept", func(context.Context) (bool, error) { return position() >= 1.5, nil })
	p.Reload()
	p.until("the video to go on there", video+".currentTime >= 1.5")

	p.Go("/history")
	p.Sees("A square goes by", "Watched")
	p.until("how far it was watched", `document.querySelector("progress.watched").value > 1`)
	p.Press("Pause history")
	p.Sees("History paused.")
	p.Press("Turn history on")
	p.Sees("History turned on.")
	p.Press("Remove")
	p.Sees("Nothing watched yet")
	p.Go(path)
	p.Go("/history")
	p.withoutScripts().Reload()
	p.Press("Clear history")
	p.Press("Clear everything")
	p.Sees("Nothing watched yet")
}

// TestPlaylists saves a post with scripts, in a dialog, and sorts a playlist without them.
func TestPlaylists(t *testing.T) {
	s := open(t)
	alice := s.User("alice")
	write := func(text string) string {
		return alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": text}).Status(201).ID()
	}
	first, second := write("The first words"), write("The second words")
	s.User("bob")
	p := s.Browser()
	p.Go("/login?next=/posts/" + first)
	p.logIn("bob", testsite.Password)
	p.At("/posts/" + first)
	const later = `document.querySelector("form[action^='/playlists/watch-later/']")`
	p.enhanced(later, "submit")
	p.click(later + `?.querySelector("button")`)
	p.until("a pressed button", later+`.querySelector("button").getAttribute("aria-pressed") === "true"`)
	p.Sees("Saved to “Watch later”.") // the server confirms it

	p.enhanced(`document.querySelector("[data-save]")`, "click")
	p.Follow("Save to playlist")
	p.until("the dialog", `document.querySelector("dialog[open]")?.innerText.includes("Watch later")`)
	p.Fill("New playlist", "Words to keep")
	p.Press("Create private playlist")
	p.At("/posts/" + first)
	p.Sees("Playlist created.")
	p.enhanced(`document.querySelector("[data-save]")`, "click")
	p.Follow("Save to playlist")
	const save = `document.querySelector("dialog[open] form[action*='/items/']")`
	p.enhanced(save, "submit")
	p.click(save + `?.querySelector("button")`)
	p.until("a pressed button", save+`.querySelector("button").getAttribute("aria-pressed") === "true"`)
	p.Press("Close")
	p.until("no dialog", `!document.querySelector("dialog")`)

	q := p.Tab().withoutScripts()
	q.Go("/posts/" + second)
	q.Follow("Save to playlist")
	q.Press("Save to Words to keep")
	q.Sees("Saved to the playlist.")
	q.Go("/playlists")
	q.Follow("Words to keep")
	q.Sees("The first words", "The second words")
	q.click(`document.querySelectorAll("form[action^='/playlists/move/'] button")[3]`) // the second one down: stays
	q.Sees("Moved down.")
	q.click(`document.querySelectorAll("form[action^='/playlists/move/'] button")[2]`) // the second one up
	q.Sees("Moved up.")
	q.until("the other order", `document.querySelector(".post-item h2").innerText === "The second words"`)
	q.Press("Remove")
	q.Sees("Removed from the playlist.")
	q.Follow("Edit")
	q.Fill("Name", "Kept words")
	q.Choose("Public")
	q.Press("Save")
	q.Sees("Kept words", "Public")
	q.Go("/@bob?tab=playlists")
	q.Sees("Kept words")
	q.Follow("Kept words")
	q.Follow("Edit")
	q.Press("Delete playlist")
	q.Sees("Playlist deleted.")
}

// TestSharing copies the links of a channel and of a post, and sees a notification arrive without reloading.
func TestSharing(t *testing.T) {
	s := open(t)
	alice := s.User("alice")
	bob := s.User("bob")
	post := alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "Hello from alice"}).Status(201).ID()
	p := s.Browser()
	p.Go("/login?next=/@alice")
	p.logIn("alice", testsite.Password)
	p.At("/@alice")
	for _, path := range []string{"/@alice", "/posts/" + post} {
		p.Go(path + "?seen=1")
		p.enhanced(shareButton, "click")
		evaluate[chromedp.Void](p, `navigator.clipboard.writeText = async (text) => { window.copied = text }`)
		p.click(shareButton)
		p.Sees("Link copied.")
		p.until("the link without what belongs to this visit", `window.copied === location.origin + `+quote(path))
	}

	bob.JSON("POST", "/api/v1/comments/"+post, testsite.M{"content": "Hi"}).Status(201)
	s.DB.WaitRemovals()                                                                 // notifications are sent in the background
	evaluate[chromedp.Void](p, `document.dispatchEvent(new Event("visibilitychange"))`) // as when the user returns to the tab
	p.until("the bell to tell", `((b) => b && !b.hidden && b.textContent === "1")(document.querySelector("[data-unread]"))`)
}
