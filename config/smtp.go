package config

import (
	"errors"
	"net"
	"net/url"
)

// SMTPAddress parses SMTP_URL: smtps://user:password@host:465 uses TLS from the start; smtp://host:587 requires
// STARTTLS, unless ?tls=off says that the server is on this machine.
func SMTPAddress(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil: // the error would quote the text, including the password
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
