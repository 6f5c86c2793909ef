package models

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestLinks(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice, bob := w.user(t, "alice"), w.user(t, "bob")
	first, err := w.Links.Make(ctx, alice, ResetPassword, alice.Email)
	fatal(t, err)
	second, err := w.Links.Make(ctx, alice, ResetPassword, alice.Email)
	fatal(t, err)
	other, err := w.Links.Make(ctx, bob, ResetPassword, bob.Email)
	fatal(t, err)
	for range 2 {
		if u, _, err := w.Links.Look(ctx, ResetPassword, first); err != nil || u.ID != alice.ID {
			t.Fatalf("%v", err)
		}
	}
	_, _, err = w.Links.Look(ctx, "another purpose", first)
	wantCode(t, err, "invalid", "")
	if u, _, err := w.Links.Use(ctx, ResetPassword, second); err != nil || u.ID != alice.ID {
		t.Fatalf("%v", err)
	}
	for _, used := range []string{first, second} {
		_, _, err = w.Links.Use(ctx, ResetPassword, used)
		wantCode(t, err, "invalid", "")
	}
	if u, _, err := w.Links.Look(ctx, ResetPassword, other); err != nil || u.ID != bob.ID {
		t.Errorf("alice's link used up bob's: %v", err)
	}
	// A change that fails doesn't use up the link, if there are transactions.
	if w.DB.Transactions() {
		failed := errors.New("no")
		err := w.DB.Atomically(ctx, func(ctx context.Context) error {
			_, _, err := w.Links.Use(ctx, ResetPassword, other)
			return errors.Join(err, failed)
		})
		if !errors.Is(err, failed) {
			t.Errorf("%v", err)
		}
		if _, _, err := w.Links.Look(ctx, ResetPassword, other); err != nil {
			t.Errorf("the link is gone: %v", err)
		}
	}
}

func TestMails(t *testing.T) {
	w, ctx := newWorld(t), watched()
	w.queue(t, "alice@example.com")
	w.queue(t, "bob@example.com")
	var tried []string
	send := func(failed error) func(context.Context, *Mail) error {
		return func(_ context.Context, m *Mail) error {
			tried = append(tried, m.To)
			return failed
		}
	}
	again := func(*Mail, error) bool { return true }

	// A process that stops while sending loses nothing: another one retries when the lease expires.
	stopping, stop := context.WithCancel(ctx)
	_, err := w.Mails.Send(stopping, func(context.Context, *Mail) error { stop(); return nil }, again)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	sent, err := w.Mails.Send(ctx, send(nil), again)
	if err != nil || sent != 1 {
		t.Fatalf("sent %d: %v", sent, err)
	}
	w.advance(mailLease + time.Second)
	if sent, err := w.Mails.Send(ctx, send(nil), again); err != nil || sent != 1 || tried[0] == tried[1] {
		t.Fatalf("sent %d to %v: %v", sent, tried, err)
	}

	// Failures are retried after a pause, unless a retry is pointless.
	for _, again := range []bool{true, false} {
		w.queue(t, "carol@example.com")
		for range 2 {
			if sent, err := w.Mails.Send(ctx, send(errors.New("no")), func(*Mail, error) bool { return again }); err != nil || sent != 0 {
				t.Fatalf("sent %d: %v", sent, err)
			}
		}
		w.advance(mailPause(1) + time.Second)
		if sent, err := w.Mails.Send(ctx, send(nil), func(*Mail, error) bool { return true }); err != nil || (sent == 1) != again {
			t.Errorf("again: %v, sent %d: %v", again, sent, err)
		}
	}

	if pauses := []time.Duration{mailPause(1), mailPause(2), mailPause(7), mailPause(500)}; pauses[0] != time.Minute || pauses[1] != 2*time.Minute || pauses[2] != time.Hour || pauses[3] != time.Hour {
		t.Errorf("%v", pauses)
	}
	waiting, end := context.WithCancel(ctx)
	end()
	w.queue(t, "alice@example.com")
	if err := w.Mails.Wait(waiting); err == nil {
		t.Error("a stopped process goes on")
	}
}

func (w *world) queue(t *testing.T, to string) {
	t.Helper()
	if queued, err := w.Mails.Add(watched(), Mail{Type: MailReset, To: to}); err != nil || !queued {
		t.Fatalf("queued %v: %v", queued, err)
	}
}
