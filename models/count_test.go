package models

import "testing"

// The metrics' counts are bounded and use an index; they exclude what has ended and what belongs to the Token lab.
func TestCountsForMetrics(t *testing.T) {
	w, ctx := newWorld(t), watched()
	alice := w.user(t, "alice")
	ended := w.session(t, alice)
	for range 3 {
		w.session(t, alice)
	}
	_, err := w.Sessions.End(ctx, alice.ID, ended.ID, LoggedOut)
	fatal(t, err)
	_, _, err = w.Sessions.OfKind(Lab, w.Sessions.policy).Create(ctx, alice.ID, false, Device{})
	fatal(t, err)
	for _, to := range []string{"alice@example.com", "bob@example.com"} {
		if _, err := w.Mails.Add(ctx, Mail{Type: MailReset, To: to}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ limit, sessions, mails int }{{100, 3, 2}, {1, 1, 1}} {
		sessions, err := w.Sessions.CountLive(ctx, test.limit)
		fatal(t, err)
		mails, err := w.Mails.CountWaiting(ctx, test.limit)
		fatal(t, err)
		if sessions != test.sessions || mails != test.mails {
			t.Errorf("of at most %d: %d sessions and %d mails", test.limit, sessions, mails)
		}
	}
}
