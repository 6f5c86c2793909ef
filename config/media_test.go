package config

import (
	"maps"
	"testing"
)

func TestMediaURL(t *testing.T) {
	aws := map[string]string{
		"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "a/b+c", "AWS_SESSION_TOKEN": "token",
		"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2", "AWS_ENDPOINT_URL": "https://storage.example.com",
	}
	for _, c := range []struct {
		url, want string
		env       map[string]string
	}{
		{"", "", aws},
		{"file:///srv/media", "file:///srv/media", aws},
		{"s3://%zz", "s3://%zz", aws},
		{"s3://bucket", "s3://bucket", nil},
		{"s3://bucket", "s3://key:a%2Fb+c@bucket?endpoint=https%3A%2F%2Fstorage.example.com&region=eu-west-1&session_token=token", aws},
		{"s3://own:secret@bucket?region=us-east-1&endpoint=http://here", "s3://own:secret@bucket?endpoint=http%3A%2F%2Fhere&region=us-east-1", aws},
		{"s3://bucket", "s3://bucket?region=eu-west-2", map[string]string{"AWS_DEFAULT_REGION": "eu-west-2"}},
		{"s3://bucket", "s3://key:@bucket", map[string]string{"AWS_ACCESS_KEY_ID": "key"}}, // the storage reports that half is missing
	} {
		env := map[string]string{"DATA_DIR": t.TempDir(), "MEDIA_URL": c.url}
		maps.Copy(env, c.env)
		cfg, err := Load(env)
		if err != nil || cfg.MediaURL != c.want {
			t.Errorf("%s became %s, %v, want %s", c.url, cfg.MediaURL, err, c.want)
		}
	}
}
