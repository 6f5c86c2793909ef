package config

import "net/url"

// withAWS adds to the URL of a bucket what it leaves out and Amazon's usual variables provide. An invalid URL is left
// for the storage to reject.
func (r *reader) withAWS(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" {
		return text
	}
	query := u.Query()
	fill := func(parameter string, variables ...string) {
		for _, name := range variables {
			if value := r.text(name, ""); value != "" && !query.Has(parameter) {
				query.Set(parameter, value)
			}
		}
	}
	fill("region", "AWS_REGION", "AWS_DEFAULT_REGION")
	fill("endpoint", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
	key, secret := r.text("AWS_ACCESS_KEY_ID", ""), r.text("AWS_SECRET_ACCESS_KEY", "")
	if u.User == nil && (key != "" || secret != "") {
		u.User = url.UserPassword(key, secret)
		fill("session_token", "AWS_SESSION_TOKEN")
	}
	u.RawQuery = query.Encode()
	return u.String()
}
