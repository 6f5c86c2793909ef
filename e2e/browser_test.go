// Package e2e_test drives a real Chromium over a real port: complete user journeys, and every page's accessibility and
// layout. It is skipped if there is no browser.
package e2e_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"tokentube/config"
	"tokentube/e2e/testsite"
)

// patience is how long a test waits for a page to reach a state.
const patience = 20 * time.Second

// site is a site under test that listens on a port.
type site struct {
	*testsite.Site
	t    *testing.T
	base string // its base URL
}

// open starts a site, whose requests first pass through the given handlers. Chromium accepts Secure cookies over plain
// HTTP from localhost.
func open(t *testing.T, before ...func(http.Handler) http.Handler) *site {
	t.Helper()
	findBrowser(t)
	listener, err := net.Listen("tcp", "localhost:0")
	check(t, err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	check(t, err)
	s := &site{t: t, base: "http://localhost:" + port}
	s.Site = testsite.New(t, func(cfg *config.Config) { cfg.BaseURL = s.base })
	for _, wrap := range before {
		s.Handler = wrap(s.Handler)
	}
	server := httptest.NewUnstartedServer(s.Handler)
	check(t, server.Listener.Close())
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return s
}

// findBrowser skips the test if there is no browser, except where all checks must run.
func findBrowser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	skip(t, "no chromium, chromium-browser or google-chrome is in PATH")
	return ""
}

// skip skips a test and gives the reason; with CI=true it fails instead.
func skip(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// Browser starts a separate browser with an empty profile, and returns its first tab.
func (s *site) Browser() *tab {
	s.t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(findBrowser(s.t)), chromedp.UserDataDir(s.t.TempDir()),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("autoplay-policy", "no-user-gesture-required"),
	)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	s.t.Cleanup(cancel)
	return s.tab(ctx)
}

// Tab opens another tab next to this one; they share their cookies.
func (p *tab) Tab() *tab { return p.site.tab(p.ctx) }

// Stranger opens a window of the same browser that shares nothing with this one.
func (p *tab) Stranger() *tab { return p.site.tab(p.ctx, chromedp.WithNewBrowserContext()) }

func (s *site) tab(parent context.Context, options ...chromedp.ContextOption) *tab {
	s.t.Helper()
	p := &tab{site: s, t: s.t}
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(p.listen))...)
	s.t.Cleanup(cancel)
	p.ctx = ctx
	check(s.t, chromedp.Do(ctx))
	s.t.Cleanup(p.complain)
	return p
}

// tab is a page as a person sees it.
type tab struct {
	*site
	t   *testing.T
	ctx context.Context

	plain bool // without scripts

	mu       sync.Mutex
	faults   []string // exceptions, console errors, refused or failed loads
	expected []string
	requests []string // the URLs of all requests, to this site or any other
}

// listen collects what must not happen on a page.
func (p *tab) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.fault("exception: " + text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			var words []string
			for _, a := range e.Args {
				words = append(words, string(a.Value)+a.Description)
			}
			p.fault("console: " + strings.Join(words, " "))
		}
	case *network.EventRequestWillBeSent:
		p.mu.Lock()
		defer p.mu.Unlock()
		p.requests = append(p.requests, e.Request.URL)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Source == log.EntrySourceSecurity {
			p.fault(string(e.Entry.Source) + ": " + e.Entry.Text + " " + e.Entry.URL)
		}
	}
}

// sent are the URLs of the requests so far.
func (p *tab) sent() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

func (p *tab) fault(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, text)
}

// Expect allows faults with one of these texts.
func (p *tab) Expect(texts ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, texts...)
}

func (p *tab) complain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, fault := range p.faults {
		if !containsOne(fault, p.expected) {
			p.t.Errorf("the browser reports: %s", fault)
		}
	}
}

func containsOne(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
