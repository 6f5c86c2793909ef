package mail

import (
	"context"

	smtp "github.com/wneessen/go-mail"
)

// Greet checks that the server is reachable, uses TLS as required, and accepts the user name and password. It sends
// nothing.
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
