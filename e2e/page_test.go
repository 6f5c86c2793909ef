package e2e_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/domdebugger"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// find looks up an element as a person would: a field by its label, a button or a link by its text. A full match takes
// precedence over a prefix.
const find = `((kind, name) => {
  const words = (e) => (e.getAttribute("aria-label") || e.innerText).replace(/\s+/g, " ").trim();
  const all = [...document.querySelectorAll({ button: "button, summary", link: "a[href]", field: "label", choice: "label" }[kind])]
    .filter((e) => e.getClientRects().length);
  const found = all.find((e) => words(e) === name) || all.find((e) => words(e).startsWith(name + " "));
  return kind === "field" ? found && found.control : found;
})`

// quote encodes a text as JavaScript.
func quote(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}

func named(kind, name string) string { return find + "(" + quote(kind) + ", " + quote(name) + ")" }

// Go opens a page of the site.
func (p *tab) Go(path string) {
	p.t.Helper()
	p.do("open "+path, chromedp.Navigate(p.base+path))
}

// Reload loads the page again.
func (p *tab) Reload() {
	p.t.Helper()
	p.do("reload", chromedp.Reload())
}

// Back goes back in the history, as the browser's button does.
func (p *tab) Back() {
	p.t.Helper()
	p.do("go back", chromedp.Evaluate[chromedp.Void]("history.back()"))
}

// At waits until the tab shows this path.
func (p *tab) At(path string) {
	p.t.Helper()
	p.until("the address "+path, `document.readyState === "complete" && location.pathname + location.search === `+quote(path))
}

// Sees waits until each text is visible on the page.
func (p *tab) Sees(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		p.until("the text "+text, `document.body.innerText.includes(`+quote(text)+`)`)
	}
}

// SeesNot fails if any of the texts is on the page, visible or not.
func (p *tab) SeesNot(texts ...string) {
	p.t.Helper()
	source := evaluate[string](p, `document.documentElement.outerHTML`)
	for _, text := range texts {
		if strings.Contains(source, text) {
			p.t.Fatalf("%q must not be in %s", text, p.where())
		}
	}
}

// Press clicks a button.
func (p *tab) Press(name string) {
	p.t.Helper()
	p.click(named("button", name))
}

// Follow clicks a link.
func (p *tab) Follow(name string) {
	p.t.Helper()
	p.click(named("link", name))
}

// Choose clicks a radio button or a checkbox.
func (p *tab) Choose(label string) {
	p.t.Helper()
	p.click(named("choice", label))
}

// click waits until the element exists, has stopped moving and has nothing over it, and clicks it. If it moves at the
// last moment, the element now in its place ignores the click, and it is tried again.
func (p *tab) click(element string) {
	p.t.Helper()
	const place = `((e) => {
  if (!e || e.disabled || document.readyState !== "complete") return null;
  e.scrollIntoView({ block: "center", behavior: "instant" });
  const { x, y, width, height } = e.getBoundingClientRect();
  const at = [x + width / 2, y + height / 2];
  if (!e.contains(document.elementFromPoint(...at))) return null;
  window.clicked?.abort();
  const clicked = window.clicked = new AbortController();
  for (const type of ["pointerdown", "mousedown", "pointerup", "mouseup", "click"]) {
    addEventListener(type, (event) => {
      if (type === "click") clicked.abort();
      if (e.contains(event.target)) return;
      clicked.missed = true;
      event.preventDefault();
      event.stopImmediatePropagation();
    }, { capture: true, signal: clicked.signal });
  }
  return at;
})`
	var at []float64
	p.poll("something to click: "+strings.TrimPrefix(element, find), func(ctx context.Context) (bool, error) {
		before := at
		var err error
		at, err = chromedp.Run(ctx, chromedp.Evaluate[[]float64](place+"("+element+")"))
		if err != nil || len(at) != 2 || !slices.Equal(at, before) {
			return false, err
		}
		p.do("click", chromedp.MouseClickXY(at[0], at[1]))
		missed, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`window.clicked?.missed === true`))
		return err != nil || !missed, nil // no response: the click led to another page
	})
}

// Fill replaces the content of a field. If a script moves the field in the meantime, which takes the focus away, it
// tries again.
func (p *tab) Fill(label, text string) {
	p.t.Helper()
	field := named("field", label)
	p.poll("the field "+label+" to take "+text, func(ctx context.Context) (bool, error) {
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[chromedp.Void](field+".focus(); "+field+".select()")); err != nil {
			return false, err
		}
		if _, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
			return false, err
		}
		got, err := chromedp.Run(ctx, chromedp.Evaluate[string](field+".value"))
		return got == text, err
	})
}

// Value is the content of a field.
func (p *tab) Value(label string) string {
	p.t.Helper()
	return evaluate[string](p, named("field", label)+".value")
}

// Upload chooses a file.
func (p *tab) Upload(label, file string) {
	p.t.Helper()
	field := named("field", label)
	p.until("the field "+label, field+" !== undefined")
	object := evaluate[*runtime.RemoteObject](p, field)
	_, err := chromedp.Call(p.ctx, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{file}, ObjectID: object.ObjectID})
	check(p.t, err)
}

// enhanced waits until a script listens to these events of the element.
func (p *tab) enhanced(element, event string) {
	p.t.Helper()
	p.poll("a script for the "+event+" of "+element, func(ctx context.Context) (bool, error) {
		object, err := chromedp.Run(ctx, chromedp.Evaluate[*runtime.RemoteObject](element))
		if err != nil || object.ObjectID == "" {
			return false, err
		}
		found, err := chromedp.Call(ctx, domdebugger.GetEventListeners, domdebugger.GetEventListenersParams{ObjectID: object.ObjectID})
		return slices.ContainsFunc(found.Listeners, func(l *domdebugger.EventListener) bool { return l.Type == event }), err
	})
}

// Cookie is the value of a cookie, even if scripts can't read it.
func (p *tab) Cookie(name string) string {
	p.t.Helper()
	return p.cookieFor("/", name)
}

// labCookie is the value of a cookie that is only sent to the Token lab.
func (p *tab) labCookie(name string) string {
	p.t.Helper()
	return p.cookieFor("/token-lab", name)
}

func (p *tab) cookieFor(path, name string) string {
	p.t.Helper()
	found, err := chromedp.Call(p.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{p.base + path}})
	check(p.t, err)
	for _, cookie := range found.Cookies {
		if cookie.Name == name {
			return cookie.Value
		}
	}
	return ""
}

// until waits until the expression is true on the page.
func (p *tab) until(what, expression string) {
	p.t.Helper()
	p.poll(what, func(ctx context.Context) (bool, error) {
		return chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
	})
}

// poll repeats until the result is true. Errors occur while one page replaces another, so they only count at the end.
func (p *tab) poll(what string, ask func(context.Context) (bool, error)) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		ok, err := ask(ctx)
		if ok && err == nil {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			p.t.Fatalf("waited in vain for %s at %s (%v)", what, p.where(), err)
		}
	}
}

func (p *tab) do(what string, action chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, action); err != nil {
		p.t.Fatalf("%s: %v at %s", what, err, p.where())
	}
}

func evaluate[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 2*patience)
	defer cancel()
	result, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	check(p.t, err)
	return result
}

// where describes the page in a failure.
func (p *tab) where() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.pathname + location.search + ": " + document.body.innerText.slice(0, 1500)`))
	return text
}
