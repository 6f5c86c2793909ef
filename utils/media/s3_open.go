package media

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

const (
	amazon = "https://s3.amazonaws.com"
	// attempts bounds how often a failing storage is tried, within seconds.
	attempts = 3
	// roleTime is how long startup waits for the keys of the machine's role.
	roleTime = 5 * time.Second
)

// s3Settings are the settings in a MEDIA_URL for an S3 bucket:
//
// s3://[KEY:SECRET@]NAME?region=REGION&endpoint=https://HOST&use_path_style=true&prefix=FOLDER/&session_token=TOKEN
type s3Settings struct {
	bucket, prefix, region string
	endpoint               *url.URL
	addressing             minio.BucketLookupType
	key, secret, session   string
}

func openS3(ctx context.Context, u *url.URL, query url.Values) (Bucket, error) {
	set, err := readS3(u, query)
	if err != nil {
		return nil, err
	}
	secure := set.endpoint.Scheme == "https"
	transport, err := minio.DefaultTransport(secure)
	if err != nil {
		return nil, err
	}
	keys, err := set.keys(ctx, transport)
	if err != nil {
		return nil, err
	}
	client, err := minio.NewCore(set.endpoint.Host, &minio.Options{
		Creds: keys, Secure: secure, Transport: sender{transport},
		Region: set.region, BucketLookup: set.addressing, MaxRetries: attempts,
	})
	if err != nil {
		return nil, err
	}
	return &s3{client, transport, set.bucket, set.prefix}, nil
}

func readS3(u *url.URL, query url.Values) (s3Settings, error) {
	set := s3Settings{bucket: u.Host, prefix: query.Get("prefix"), region: query.Get("region"), session: query.Get("session_token")}
	// The URL itself must not be shown: if a key contains an unescaped "/", the host and the path are parts of the key.
	if s3utils.CheckValidBucketNameStrict(u.Host) != nil || u.Path != "" && u.Path != "/" {
		return set, errors.New("MEDIA_URL names no valid bucket: " + mediaURLForms + " (in a key, write / as %2F)")
	}
	err := onlyKnown(query, "region", "endpoint", "use_path_style", "s3ForcePathStyle", "prefix", "session_token")
	if err != nil {
		return set, err
	}
	if u.User != nil {
		set.key = u.User.Username()
		set.secret, _ = u.User.Password()
		if set.key == "" || set.secret == "" {
			return set, errors.New("MEDIA_URL has half of a key: write s3://KEY:SECRET@NAME, or neither and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
		}
	}
	if set.endpoint, err = readEndpoint(query.Get("endpoint")); err != nil {
		return set, err
	}
	set.addressing, err = readAddressing(query, set.endpoint)
	return set, err
}

func readEndpoint(text string) (*url.URL, error) {
	if text == "" {
		text = amazon
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return nil, errors.New("the endpoint of MEDIA_URL must be https://HOST or http://HOST, with a port if it needs one and no path")
	}
	return u, nil
}

// readAddressing decides whether the bucket's name becomes part of the host or of the path. An IP address can have no
// subdomains; for Amazon, the library knows which names match its certificates.
func readAddressing(query url.Values, endpoint *url.URL) (minio.BucketLookupType, error) {
	text := query.Get("use_path_style")
	if text == "" {
		text = query.Get("s3ForcePathStyle")
	}
	inPath, err := strconv.ParseBool(text)
	if err != nil && text != "" {
		return 0, fmt.Errorf("use_path_style of MEDIA_URL must be true or false, not %q", text)
	}
	_, notNumbers := netip.ParseAddr(endpoint.Hostname())
	switch {
	case inPath || notNumbers == nil:
		return minio.BucketLookupPath, nil
	case s3utils.IsAmazonEndpoint(*endpoint):
		return minio.BucketLookupAuto, nil
	}
	return minio.BucketLookupDNS, nil
}

// keys are those from the URL, from Amazon's credentials file, or of the role that Amazon assigns to a machine or a
// container.
func (set s3Settings) keys(ctx context.Context, transport http.RoundTripper) (*credentials.Credentials, error) {
	if set.key != "" {
		return credentials.NewStaticV4(set.key, set.secret, set.session), nil
	}
	keys := credentials.NewChainCredentials([]credentials.Provider{&credentials.FileAWSCredentials{}, &credentials.IAM{}})
	ctx, cancel := context.WithTimeout(ctx, roleTime)
	defer cancel()
	found, err := keys.GetWithContext(&credentials.CredContext{Client: &http.Client{Transport: transport}, Context: ctx})
	if err != nil || found.SignerType.IsAnonymous() {
		return nil, errors.New("there are no keys for the bucket of MEDIA_URL: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	return keys, nil
}
