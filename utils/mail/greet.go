package mail

import (
	"context"

	smtp "github.com/wneessen/go-mail"
)

// Greet tells whether the server can be reached, speaks TLS as it must, and takes the user and the password. Nothing is sent.
func (s *SMTP) Greet(ctx context.Context) error {
	client, err := smtp.NewClient(s.host, s.options...)
	if err != nil {
		return err
	}
	if err := client.DialWithContext(ctx); err != nil {
		return err
	}
	_ = client.Close()
	return nil
}
