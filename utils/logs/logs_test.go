package logs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tokentube/utils/logs"
)

func TestHide(t *testing.T) {
	for text, want := range map[string]string{
		`dup key: { email: "alice.b+c@example.com" }`:                    `dup key: { email: "(address)" }`,
		"token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl ended":  "token (token) ended",
		"GET /reset-password?token=abc123&x=1":                           "GET /reset-password?token=(secret)&x=1",
		"https://a.example/x?a=1 Password=hunter2 failed":                "https://a.example/x?a=1 Password=(secret) failed",
		"an ordinary error of they.and.them: open /data/x: no such file": "an ordinary error of they.and.them: open /data/x: no such file",
		"dial tcp 10.0.0.5:27017: connect: connection refused":           "dial tcp 10.0.0.5:27017: connect: connection refused",
	} {
		if got := logs.Hide(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestIP(t *testing.T) {
	for text, want := range map[string]string{
		"203.0.113.77": "203.0.113.0/24", "::ffff:203.0.113.77": "203.0.113.0/24", "2001:db8:1:2::3": "2001:db8:1::/48", "fe80::1%eth0": "fe80::/48", "": "", "nobody": "",
	} {
		if got := logs.IP(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

func TestServersLinesNameNobody(t *testing.T) {
	var out bytes.Buffer
	log := slog.NewLogLogger(logs.WithoutIPs(logs.New(&out, "text", "debug").Handler()), slog.LevelWarn)
	for line, want := range map[string]string{
		"http: TLS handshake error from 203.0.113.77:5678: EOF":      "from 203.0.113.0/24: EOF",
		"http: TLS handshake error from [2001:db8:1:2::3]:5678: EOF": "from 2001:db8:1::/48: EOF",
		"http: panic serving 203.0.113.77:1: boom at 12:30:45":       "serving 203.0.113.0/24: boom at 12:30:45",
	} {
		out.Reset()
		log.Print(line)
		if !strings.Contains(out.String(), want) || strings.Contains(out.String(), ".77") || strings.Contains(out.String(), "1:2::3") {
			t.Errorf("%s became %s", line, out.String())
		}
	}
}

func lines(t *testing.T, out *bytes.Buffer) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(out.String()) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// Of a flood, the first lines are logged, and one that reports how many more there were, even after it is over.
func TestStormIsSummedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := logs.New(&out, "json", "info")
		for i := range 3000 {
			log.Error("request failed", "route", "/", "code", "internal", "error", errors.New("boom"), "request_id", fmt.Sprint(i))
		}
		log.With("a", 1).Error("another fault")
		log.Info("request", "route", "/", "status", 200)
		time.Sleep(11 * time.Second)
		synctest.Wait()
		all := lines(t, &out)
		if len(all) != 500+2+1 {
			t.Fatalf("%d lines", len(all))
		}
		last := all[len(all)-1]
		if last["left_out"] != 2500.0 || last["level"] != "ERROR" || !strings.Contains(last["like"].(string), `"request failed" route=/ code=internal`) {
			t.Errorf("%v", last)
		}
		out.Reset()
		for range 10 { // a slow error is never left out
			log.Error("request failed", "route", "/", "code", "internal")
			time.Sleep(2 * time.Second)
		}
		if n := len(lines(t, &out)); n != 10 {
			t.Errorf("%d of 10 errors", n)
		}
	})
}

// The next line after a flood reports it too, if it comes before the timer.
func TestStormIsToldByTheNextWindow(t *testing.T) {
	var out bytes.Buffer
	h := logs.Calm(slog.NewJSONHandler(&out, nil))
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 501 {
		_ = h.Handle(context.Background(), slog.NewRecord(at, slog.LevelInfo, "request", 0))
	}
	_ = h.Handle(context.Background(), slog.NewRecord(at.Add(10*time.Second), slog.LevelInfo, "other", 0))
	all := lines(t, &out)
	if len(all) != 502 || all[500]["left_out"] != 1.0 || all[501]["msg"] != "other" {
		t.Errorf("%d lines, at the end %v", len(all), all[len(all)-2:])
	}
}

// Lines that are all different take memory only for a bounded number of kinds, and suppressed ones are reported, too.
func TestStormOfKindsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := logs.New(&out, "json", "info")
		for i := range 100_000 {
			log.Warn("request", "route", fmt.Sprint(i))
		}
		time.Sleep(11 * time.Second)
		synctest.Wait()
		all := lines(t, &out)
		if last := all[len(all)-1]; len(all) != 1000+500+1 || last["left_out"] != 100_000.0-1500 || last["like"] != "WARN" {
			t.Errorf("%d lines, the last %v", len(all), last)
		}
	})
}
