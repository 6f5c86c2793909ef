package e2e_test

import (
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tokentube/e2e/testsite"
)

// TestPeople uses the site as different people, in one browser. (An owner of several devices: TestEndOtherDevice; a
// session that ends in the middle of a long form: TestTypedTextOutlivesTheSession.)
func TestPeople(t *testing.T) {
	var held atomic.Bool // uploads hang
	s := open(t, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if held.Load() && r.Method == http.MethodPost && r.URL.Path == "/photos" {
				_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client disconnects
				<-r.Context().Done()
				return
			}
			next.ServeHTTP(w, r)
		})
	})
	alice := s.User("alice")
	for i := range 70 {
		alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": fmt.Sprintf("Words, number %d. %s", i, strings.Repeat("Long ", i))}).Status(http.StatusCreated)
	}
	p := s.Browser()
	for name, person := range map[string]func(*tab){
		"a new member with a keyboard alone": (*tab).joinsByKeyboard,
		"a reader of a long list":            (*tab).comesBack,
		"a keyboard user":                    (*tab).usesShortcuts,
		"a creator":                          func(p *tab) { p.creates(&held) },
		"a forgetful person":                 (*tab).forgets,
		"somebody with a new picture":        (*tab).crops,
	} {
		t.Run(name, func(t *testing.T) {
			one := p.Stranger()
			one.t = t
			one.Expect("status of 422", "status of 401")
			person(one)
		})
	}
}

// joins creates an account with this name.
func (p *tab) joins(name string) {
	p.t.Helper()
	p.Go("/register")
	p.register(name)
	p.At("/welcome")
}

// key presses keys.
func (p *tab) key(keys string, options ...chromedp.KeyOption) {
	p.t.Helper()
	p.do("press a key", chromedp.KeyEvent(keys, options...))
}

// tabTo presses Tab until the focus is on the element of this name.
func (p *tab) tabTo(name string) {
	p.t.Helper()
	const focused = `((e) => (e.labels?.[0]?.innerText || e.getAttribute("aria-label") || e.innerText || "").replace(/\s+/g, " ").trim())(document.activeElement)`
	for range 80 {
		p.key(kb.Tab)
		if got := evaluate[string](p, focused); got == name || strings.HasPrefix(got, name+" ") {
			if evaluate[bool](p, `document.activeElement.matches(":focus-visible")`) {
				return
			}
			p.t.Fatalf("the focus on %s can't be seen", name)
		}
	}
	p.t.Fatalf("Tab doesn't reach %s at %s", name, p.where())
}

func (p *tab) types(text string) {
	p.t.Helper()
	p.key(text)
}

// joinsByKeyboard completes the main journey without a pointer: signs up, publishes, likes, comments and logs out.
func (p *tab) joinsByKeyboard() {
	p.Go("/")
	p.key(kb.Tab)
	p.key(kb.Enter) // skip to the content
	p.until("the content to have the focus", `document.activeElement.id === "main"`)
	p.Go("/")
	p.tabTo("Sign up")
	p.key(kb.Enter)
	p.At("/register")
	for _, field := range [][2]string{{"Username", "kayla"}, {"Email", "kayla@example.com"}, {"Your name", "Kay"}, {"Password", testsite.Password}} {
		p.tabTo(field[0])
		p.types(field[1])
	}
	p.key(kb.Enter)
	p.At("/welcome")
	p.tabTo("Create your first post")
	p.key(kb.Enter)
	p.At("/create")
	p.enhanced(`document.querySelector("[data-kinds]")`, "click")
	p.tabTo("Post")
	p.key(kb.Enter)
	p.until("the form", named("field", "What do you want to say?")+" !== undefined")
	p.tabTo("What do you want to say?")
	p.types("Written with keys")
	p.tabTo("Publish post")
	p.key(kb.Enter)
	p.until("the post", `document.readyState === "complete" && location.pathname.startsWith("/posts/")`)
	p.Sees("Published. Anyone can see it now.")
	p.enhanced(likeForm, "submit")
	p.tabTo("Like")
	p.key(kb.Enter)
	p.likes("true", "1")
	p.tabTo("Your comment")
	p.types("And a comment")
	p.tabTo("Comment")
	p.key(kb.Enter)
	p.until("the comment", `document.querySelector(".comment [data-comment-delete] button, .comment form[action*='_method=DELETE'] button") !== null`)
	p.Go("/")
	p.tabTo("Your menu")
	p.key(kb.Enter)
	p.tabTo("Log out")
	p.key(kb.Enter)
	p.Sees("You are logged out.")
}

// comesBack reads on in a list, opens a post far down, and goes back to it.
func (p *tab) comesBack() {
	p.joins("reader")
	p.Go("/?kind=text")
	p.until("the list to go on", `(scrollTo(0, document.body.scrollHeight), document.querySelectorAll("[data-list] > *").length > 60)`)
	evaluate[chromedp.Void](p, `addEventListener("unload", () => {})`) // the browser keeps no such page in memory
	const link = `[...document.querySelectorAll("[data-list] .card-link")].find((a) => a.textContent.startsWith("Words, number 15."))`
	p.click(link)
	p.until("the post", `location.pathname.startsWith("/posts/")`)
	p.Back()
	p.At("/?kind=text")
	p.until("the list as it was", `document.querySelectorAll("[data-list] > *").length > 50`)
	p.until("the post to be in sight again", `((a) => a && a.getBoundingClientRect().top > 0 && a.getBoundingClientRect().bottom < innerHeight && document.activeElement === a)(`+link+`)`)
}

// usesShortcuts presses single keys.
func (p *tab) usesShortcuts() {
	p.joins("hasty")
	p.Go("/?kind=text")
	shortcuts := `document.querySelector("[data-shortcuts]")`
	p.enhanced(shortcuts, "click")
	p.key("/")
	p.until("the search to have the focus", `document.activeElement.id === "search"`)
	evaluate[chromedp.Void](p, `document.activeElement.value = ""`) // where the test's key was typed, too
	p.types("j?n")                                                  // in a field, keys are letters
	if got := evaluate[string](p, `document.getElementById("search").value + location.pathname`); got != "j?n/" {
		p.t.Errorf("typed into the search: %s", got)
	}
	evaluate[chromedp.Void](p, `document.activeElement.blur()`)
	p.key("j")
	p.key("j")
	p.until("the second post", `[...document.querySelectorAll("[data-list] .card-link")].indexOf(document.activeElement) === 1`)
	p.key("k")
	p.until("the first post", `[...document.querySelectorAll("[data-list] .card-link")].indexOf(document.activeElement) === 0`)
	p.key("n", chromedp.KeyModifiers(2)) // Ctrl+N belongs to the browser
	p.key("?")
	p.until("the list of keys", `document.querySelector("dialog[open] kbd") !== null`)
	p.Sees("Next post in a list")
	p.Choose("Use these shortcuts")
	p.key(kb.Escape)
	p.until("the list to be closed, and the focus where it was", `!document.querySelector("dialog") && document.activeElement.matches(".card-link")`)
	p.key("n")
	p.key("?")
	if evaluate[bool](p, `document.querySelector("dialog") !== null || location.pathname !== "/"`) {
		p.t.Error("the keys can't be turned off")
	}
	p.click(shortcuts)
	p.Choose("Use these shortcuts")
	p.Press("Close")
	p.key("n")
	p.At("/create")
}

// creates switches between the kinds, cancels an upload and makes another.
func (p *tab) creates(held *atomic.Bool) {
	p.joins("creator")
	p.Go("/create?kind=photo")
	p.enhanced(`document.querySelector("[data-kinds]")`, "click")
	p.enhanced(`document.querySelector("form[data-upload]")`, "submit")
	p.Upload("Photo", save(p.t, "photo.png", pictureBytes(p.t)))
	p.Fill("Title", "Across the bay")
	p.Choose("Draft")
	p.Press("Video")
	p.At("/create?kind=video")
	if got := p.Value("Title"); got != "Across the bay" {
		p.t.Errorf("the other kind's title is %q", got)
	}
	p.Fill("Title", "Across the bay, and back")
	p.Press("Photo")
	p.At("/create?kind=photo")
	if got := evaluate[string](p, `((f) => [f.title.value, f.visibility.value, f.photo.files[0]?.name].join())(document.getElementById("post-form").elements)`); got != "Across the bay, and back,draft,photo.png" {
		p.t.Errorf("back at the first kind: %s", got)
	}
	leaving := `(() => { const e = new Event("beforeunload", { cancelable: true }); return !dispatchEvent(e); })()`
	held.Store(true)
	p.Press("Publish photo")
	p.until("the warning before leaving", leaving)
	p.until("the way to stop to have the focus", `document.activeElement.matches("[data-cancel]")`)
	p.Press("Video") // refused
	p.Sees("Cancel the upload first.")
	p.Press("Cancel")
	p.Sees("Upload cancelled. Nothing was saved.")
	if evaluate[bool](p, leaving) {
		p.t.Error("the page still warns")
	}
	held.Store(false)
	p.Fill("Title", "")
	p.Press("Publish photo")
	p.faultAt("Title", "Enter a title.")
	p.until("the summary", `document.activeElement.matches(".alert") && document.title.startsWith("Error: ") && document.querySelectorAll(".alert a, .error").length === 2`)
	p.Fill("Title", "Across the bay")
	p.Press("Publish photo")
	p.until("the photo", `location.pathname.startsWith("/photos/")`)
	p.Sees("Draft saved. Only you can see it.", "Across the bay")
}

// forgets goes back, double-clicks and reloads a rejected form.
func (p *tab) forgets() {
	p.joins("forgetful")
	p.Go("/settings/account")
	p.enhanced("document", "submit")
	p.Fill("Username", "no spaces, please")
	p.Fill("Current password", testsite.Password)
	p.Press("Change username")
	p.At("/settings/username?_method=PATCH")
	p.faultAt("Username", "lowercase")
	p.Go("/settings/username?_method=PATCH") // as from the address bar
	p.At("/settings/account")

	p.Go("/create?kind=text")
	p.enhanced("document", "submit")
	p.Fill("What do you want to say?", "Once is enough")
	evaluate[chromedp.Void](p, `((b) => { b.click(); b.click(); })(`+named("button", "Publish post")+`)`)
	p.Sees("Once is enough", "Published.")
	p.Reload()
	p.Sees("Once is enough")
	p.SeesNot("Published. Anyone")
	p.Go("/@forgetful?kind=text")
	if n := evaluate[int](p, `document.querySelectorAll("main .card").length`); n != 1 {
		p.t.Errorf("a double click made %d posts", n)
	}
	p.Back()
	p.Sees("Once is enough")
}

// crops chooses a square of a picture, using the keyboard.
func (p *tab) crops() {
	p.joins("portrait")
	p.Go("/settings/profile")
	p.enhanced(`document.querySelector("input[name=avatar]")`, "change")
	before := evaluate[string](p, pictureAddress)
	p.Upload("New picture", save(p.t, "me.png", pictureBytes(p.t)))
	p.until("the square", `document.querySelector(".crop canvas") !== null`)
	evaluate[chromedp.Void](p, `document.querySelector(".crop input").focus()`)
	p.key(strings.Repeat(kb.ArrowRight, 20))
	p.until("the square as the file", `document.querySelector("input[name=avatar]").files[0].name === "picture.png" && Number(document.querySelector(".crop input").value) > 1.1`)
	p.Press("Save picture")
	p.Sees("Profile picture changed.")
	p.until("the new picture", pictureAddress+" !== "+quote(before))
}

// TestZoom inspects every page at 200% and at 400% zoom in a window of 1280 pixels.
func TestZoom(t *testing.T) {
	s := open(t)
	all := s.furnish()
	p := s.Browser()
	p.Expect("status of 404", "status of 401")
	p.Go("/")
	for _, path := range all.guest {
		p.zoom(path)
	}
	p.Go("/login")
	p.logIn("alice", testsite.Password)
	p.At("/")
	for _, path := range append(all.user, s.passkeyPage("alice")) {
		p.zoom(path)
	}
}

// zoom checks that a page fits, and doesn't move if reduced motion is requested.
func (p *tab) zoom(path string) {
	p.t.Helper()
	p.Go(path)
	for _, width := range []int64{640, 320} {
		_, err := chromedp.Call(p.ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: width * 45 / 64, DeviceScaleFactor: 1280 / float64(width)})
		check(p.t, err)
		if over := evaluate[float64](p, `document.documentElement.scrollWidth - innerWidth`); over > 0 || math.IsNaN(over) {
			p.t.Errorf("%s scrolls sideways by %v pixels in %d: %s", path, over, width, evaluate[string](p, widest))
		}
	}
	moves := `[...document.getAnimations()].some((a) => a.effect.getComputedTiming().endTime === Infinity)`
	if p.look(640, "light"); evaluate[bool](p, moves) {
		p.t.Errorf("%s: something moves without end although less motion is wanted", path)
	}
}
