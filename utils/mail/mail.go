// Package mail delivers messages to mailboxes through an SMTP server or, if none is configured, to a box in memory for
// development.
//
// Does not belong here: the texts of messages (templates/mail), and when they are sent and retried (models.Mails).
package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	smtp "github.com/wneessen/go-mail"
)

// Message is a message to one person.
type Message struct {
	ID       string // of the message: the same for every attempt
	To       string
	Subject  string
	Text     string
	HTML     string
	QueuedAt time.Time
}

// Sender delivers messages. An error that is ErrRefused is permanent; any other may be temporary.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// ErrRefused means that retrying is pointless: the server rejects this message, or its recipient.
var ErrRefused = errors.New("the mail server refuses this message")

// SMTP sends through a mail server.
type SMTP struct {
	host    string
	from    string
	tls     *tls.Config
	options []smtp.Option
}

// timeout bounds each step of a delivery: an unresponsive server must not keep others waiting.
const timeout = 20 * time.Second

// NewSMTP makes a sender from a URL that config.SMTPAddress parsed. The sender's address is from.
func NewSMTP(u *url.URL, from string) (*SMTP, error) {
	policy, port := smtp.TLSMandatory, 587
	config := &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	options := []smtp.Option{smtp.WithTimeout(timeout), smtp.WithTLSConfig(config)}
	if u.Scheme == "smtps" {
		options, port = append(options, smtp.WithSSL()), 465
	} else if u.RawQuery != "" {
		policy = smtp.NoTLS
	}
	if text := u.Port(); text != "" {
		port, _ = strconv.Atoi(text)
	}
	options = append(options, smtp.WithTLSPolicy(policy), smtp.WithPort(port))
	if user := u.User.Username(); user != "" {
		password, _ := u.User.Password()
		auth := smtp.SMTPAuthAutoDiscover
		if policy == smtp.NoTLS {
			auth = smtp.SMTPAuthPlainNoEnc // which SMTPAuthAutoDiscover doesn't choose
		}
		options = append(options, smtp.WithSMTPAuth(auth), smtp.WithUsername(user), smtp.WithPassword(password))
	}
	s := &SMTP{host: u.Hostname(), from: from, tls: config, options: options}
	_, err := smtp.NewClient(u.Hostname(), options...)
	return s, err
}

// Send delivers a message to the server. When ctx is cancelled it returns immediately, whatever the server does.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	message, err := s.message(m)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	client, err := smtp.NewClient(s.host, s.options...) // one per message: it holds a connection and its state
	if err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() { sent <- deliver(ctx, client, message) }() // between commands, the client doesn't check ctx
	select {
	case err := <-sent:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func deliver(ctx context.Context, client *smtp.Client, message *smtp.Msg) error {
	err := client.DialAndSendWithContext(ctx, message)
	// An error after the server accepted the message, while closing the connection, doesn't make it unsent.
	if message.IsDelivered() {
		return nil
	}
	if fault := (*smtp.SendError)(nil); errors.As(err, &fault) && fault.ErrorCode() >= 500 {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return err
}

func (s *SMTP) message(m Message) (*smtp.Msg, error) {
	message := smtp.NewMsg(smtp.WithNoDefaultUserAgent())
	if err := errors.Join(message.From(s.from), message.To(m.To)); err != nil {
		return nil, err
	}
	message.Subject(m.Subject)
	message.SetMessageIDWithValue(m.ID)
	message.SetDateWithValue(m.QueuedAt)
	// RFC 3834 §5: suppresses out-of-office replies.
	message.SetGenHeader("Auto-Submitted", "auto-generated")
	message.SetBodyString(smtp.TypeTextPlain, m.Text)
	message.AddAlternativeString(smtp.TypeTextHTML, m.HTML)
	return message, nil
}

// boxSize is how many messages a Box keeps.
const boxSize = 50

// Box keeps the latest messages for development, and logs that one arrived. The log doesn't get the text, because its
// links give access to accounts.
type Box struct {
	log      *slog.Logger
	mu       sync.Mutex
	messages []Message
}

// NewBox makes an empty Box.
func NewBox(log *slog.Logger) *Box { return &Box{log: log} }

// Send keeps a message.
func (b *Box) Send(_ context.Context, m Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, m)
	if extra := len(b.messages) - boxSize; extra > 0 {
		b.messages = slices.Delete(b.messages, 0, extra)
	}
	b.log.Info("a mail, which goes nowhere without SMTP_URL, is at /dev/mail", "subject", m.Subject)
	return nil
}

// Latest lists the messages, latest first.
func (b *Box) Latest() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := slices.Clone(b.messages)
	slices.Reverse(all)
	return all
}
