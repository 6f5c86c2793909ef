package config

import (
	"errors"
	"net"
	"net/url"
)

// SMTPAddress parses SMTP_URL: smtps://user:password@host:465 speaks TLS from the start; smtp://host:587 demands STARTTLS,
// unless ?tls=off says that it's a server on this machine.
func SMTPAddress(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil: // which quotes the text, password and all
		return nil, errors.New("must be an address such as smtps://user:password@mail.example.com:465")
	case u.Scheme != "smtp" && u.Scheme != "smtps", u.Hostname() == "", u.Path != "" && u.Path != "/", u.Fragment != "":
		return nil, errors.New("must be an address such as smtps://user:password@mail.example.com:465, or smtp://… with STARTTLS")
	case u.RawQuery != "" && u.RawQuery != "tls=off":
		return nil, errors.New("must have nothing after ? but tls=off")
	case u.RawQuery != "" && (u.Scheme != "smtp" || !loopback(u.Hostname())):
		return nil, errors.New("must not say tls=off but for smtp:// on this machine: what is sent holds links that open accounts")
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
