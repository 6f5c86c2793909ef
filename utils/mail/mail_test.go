package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"tokentube/templates"
)

// server is a third-party mail server. The test decides how it responds to a recipient.
type server struct {
	rcpt     func(to string) error
	messages chan string
	logins   chan string
}

type session struct {
	*server
	client *smtp.Conn
}

func (s *server) NewSession(c *smtp.Conn) (smtp.Session, error) { return &session{s, c}, nil }
func (s *session) Reset()                                       {}
func (s *session) Logout() error                                { return nil }
func (s *session) Mail(string, *smtp.MailOptions) error         { return nil }
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error    { return s.rcpt(to) }
func (s *session) AuthMechanisms() []string                     { return []string{sasl.Plain} }
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		s.logins <- user + ":" + password
		if password != "right" {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.messages <- string(text)
	return err
}

// certified has a certificate, and a client that trusts it.
func certified(t *testing.T) *httptest.Server {
	s := httptest.NewTLSServer(nil)
	t.Cleanup(s.Close)
	return s
}

// listen starts a server, with TLS from the start, with STARTTLS, or without TLS. It returns the address.
func listen(t *testing.T, s *server, how string) string {
	t.Helper()
	s.messages, s.logins = make(chan string, 9), make(chan string, 9)
	if s.rcpt == nil {
		s.rcpt = func(string) error { return nil }
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := smtp.NewServer(s)
	srv.Domain, srv.ErrorLog = "localhost", slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	config := &tls.Config{Certificates: certified(t).TLS.Certificates, MinVersion: tls.VersionTLS12}
	switch how {
	case "smtps":
		l = tls.NewListener(l, config)
	case "starttls":
		srv.TLSConfig = config
	default:
		srv.AllowInsecureAuth = true
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { _ = srv.Close() })
	return l.Addr().String()
}

func sender(t *testing.T, address string) *SMTP {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSMTP(u, "Tokentube <no-reply@example.com>")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var letter = Message{
	ID: "1@example.com", To: "alice@example.com", Subject: "Hello, Åse", QueuedAt: time.Now(),
	Text: "One line.\n\nhttps://example.com/reset-password?token=ABC\n", HTML: "<p>One line.</p>",
}

func TestAMessageArrives(t *testing.T) {
	s := &server{}
	address := listen(t, s, "")
	if err := sender(t, "smtp://user:right@"+address+"?tls=off").Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	if login := <-s.logins; login != "user:right" {
		t.Errorf("logged in as %s", login)
	}
	m, err := mail.ReadMessage(strings.NewReader(<-s.messages))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"To": "<alice@example.com>", "From": `"Tokentube" <no-reply@example.com>`, "Message-ID": "<1@example.com>",
		"Subject": "=?UTF-8?q?Hello,_=C3=85se?=", "Auto-Submitted": "auto-generated", "User-Agent": "",
	} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if kind := m.Header.Get("Content-Type"); !strings.HasPrefix(kind, "multipart/alternative") {
		t.Errorf("Content-Type: %s", kind)
	}
}

func TestTLS(t *testing.T) {
	for how, scheme := range map[string]string{"smtps": "smtps://", "starttls": "smtp://"} {
		s := &server{}
		out := sender(t, scheme+"user:right@"+listen(t, s, how))
		out.tls.RootCAs = certified(t).Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
		if err := out.Send(t.Context(), letter); err != nil || len(s.messages) != 1 {
			t.Errorf("%s: %v, %d messages", how, err, len(s.messages))
		}
	}
}

// A server that can't prove its identity gets nothing, with either kind of TLS; nor does one without TLS.
func TestServersMustBeTrusted(t *testing.T) {
	for how, scheme := range map[string]string{"smtps": "smtps://", "starttls": "smtp://", "": "smtp://"} {
		s := &server{}
		err := sender(t, scheme+"user:right@"+listen(t, s, how)).Send(t.Context(), letter)
		if err == nil || errors.Is(err, ErrRefused) || len(s.logins)+len(s.messages) > 0 {
			t.Errorf("%q: %v, and %d logins", how, err, len(s.logins))
		}
	}
}

func TestRefusalsAndWhatMayPass(t *testing.T) {
	for name, test := range map[string]struct {
		answer  error
		refused bool
	}{
		"greylisted":   {&smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "come again"}, false},
		"mailbox full": {&smtp.SMTPError{Code: 452, EnhancedCode: smtp.EnhancedCode{4, 2, 2}, Message: "full"}, false},
		"no such user": {&smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "unknown"}, true},
	} {
		s := &server{rcpt: func(string) error { return test.answer }}
		err := sender(t, "smtp://"+listen(t, s, "")+"?tls=off").Send(t.Context(), letter)
		if err == nil || errors.Is(err, ErrRefused) != test.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, to := range []string{"", "nobody", "a@b.c\r\nRCPT TO:<x@example.com>"} {
		m := letter
		m.To = to
		s := &server{}
		if err := sender(t, "smtp://"+listen(t, s, "")+"?tls=off").Send(t.Context(), m); !errors.Is(err, ErrRefused) || len(s.messages) > 0 {
			t.Errorf("%q: %v", to, err)
		}
	}
}

// A wrong password is a fault of the configuration: the mails wait until it is fixed.
func TestAWrongPasswordMayPass(t *testing.T) {
	s := &server{}
	err := sender(t, "smtp://user:wrong@"+listen(t, s, "")+"?tls=off").Send(t.Context(), letter)
	if err == nil || errors.Is(err, ErrRefused) || strings.Contains(err.Error(), "wrong") {
		t.Errorf("%v", err)
	}
}

func TestAServerThatHangsIsLeft(t *testing.T) {
	release := make(chan struct{})
	s := &server{rcpt: func(string) error { <-release; return nil }}
	address := listen(t, s, "")
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := sender(t, "smtp://"+address+"?tls=off").Send(ctx, letter)
	if err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("after %v: %v", time.Since(start), err)
	}
}

func TestLetters(t *testing.T) {
	letters, err := ParseLetters(templates.FS, "mail")
	if err != nil {
		t.Fatal(err)
	}
	about := map[string]any{"Username": "a_b", "Browser": "Firefox", "Device": "Mac", "Valid": "30 minutes", "Former": true, "About": "3", "Link": "https://example.com/?token=A&b", "Site": "https://example.com"}
	for _, name := range []string{"reset", "confirm_email", "password_changed", "email_changed", "new_device", "factor_added", "factor_removed", "factors_removed", "recovery_code_used", "recovery_codes_renewed", "passkey_copied"} {
		m, err := letters.Write(about, name, "not_me")
		if err != nil || m.Subject == "" || !strings.Contains(m.Text, "a_b") || !strings.Contains(m.HTML, `<a href="https://example.com/`) {
			t.Errorf("%s: %v %+v", name, err, m)
		}
		if u, err := url.Parse(about["Link"].(string)); err != nil || !strings.Contains(m.Text, "\n"+u.String()+"\n") {
			t.Errorf("the link is not whole: %s", m.Text)
		}
	}
	odd, err := ParseLetters(fstest.MapFS{
		"m/none.txt": {Data: []byte("no subject")}, "m/missing.txt": {Data: []byte("S\n\n{{.Nothing}}")},
		"m/markup.txt": {Data: []byte("{{.X}}\n\n{{.X}}")}, "m/frame.tmpl": {Data: []byte(`{{.Subject}}{{range .Paragraphs}}{{.Text}}{{end}}`)},
	}, "m")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"none", "missing", "nobody"} {
		if _, err := odd.Write(map[string]any{}, name); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if m, err := odd.Write(map[string]any{"X": "<b>"}, "markup"); err != nil || strings.Contains(m.HTML, "<b>") {
		t.Errorf("%v %s", err, m.HTML)
	}
}

func TestTheBoxKeepsTheLatest(t *testing.T) {
	b := NewBox(slog.New(slog.DiscardHandler))
	for range boxSize + 5 {
		_ = b.Send(t.Context(), Message{Subject: "old"})
	}
	_ = b.Send(t.Context(), Message{Subject: "new"})
	if all := b.Latest(); len(all) != boxSize || all[0].Subject != "new" {
		t.Errorf("%d, the first is %q", len(all), all[0].Subject)
	}
}

// Greet logs in to a server and sends nothing.
func TestGreet(t *testing.T) {
	s := &server{}
	address := listen(t, s, "")
	if err := sender(t, "smtp://user:right@"+address+"?tls=off").Greet(t.Context()); err != nil {
		t.Error(err)
	}
	if err := sender(t, "smtp://user:wrong@"+address+"?tls=off").Greet(t.Context()); err == nil {
		t.Error("a wrong password is taken")
	}
	if err := sender(t, "smtps://"+address).Greet(t.Context()); err == nil {
		t.Error("a server without TLS is taken")
	}
	if len(s.messages) > 0 {
		t.Error("something was sent")
	}
}
