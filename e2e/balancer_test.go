package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"tokentube/e2e/testsite"
)

// balancer distributes requests over two processes, configured as in docs/deployment.md.
type balancer struct {
	t       *testing.T
	program binary
	base    string
	back    [2]env
	running [2]*process
	// leave tells a balancer that can't find out by itself that a process gets no more requests; take, that it gets
	// them again.
	leave, take func(i int)
}

// TestBehindBalancers restarts two processes in turn, behind the nginx and the Caddy in NGINX_BIN and CADDY_BIN, while
// people use the site. No request may be lost.
func TestBehindBalancers(t *testing.T) {
	uri := os.Getenv("MONGODB_URI")
	if uri == "" || os.Getenv("NGINX_BIN") == "" || os.Getenv("CADDY_BIN") == "" {
		t.Skip("MONGODB_URI, NGINX_BIN and CADDY_BIN name no server")
	}
	program := build(t)
	for name, start := range map[string]func(*balancer, string){"nginx": (*balancer).startNginx, "Caddy": (*balancer).startCaddy} {
		t.Run(name, func(t *testing.T) {
			b := &balancer{t: t, program: program}
			port := freePort(t)
			b.base = "http://localhost:" + port
			database := "test_" + bson.NewObjectID().Hex()
			files := t.TempDir()
			for i := range b.back {
				b.back[i] = secrets.with(env{
					"MONGODB_URI": uri, "MONGODB_DATABASE": database, "DATA_DIR": t.TempDir(), "MEDIA_URL": "file://" + files, "BCRYPT_COST": "4",
					"BASE_URL": b.base, "PORT": freePort(t), "TRUSTED_PROXIES": "127.0.0.1,::1", "COOKIE_SECURE": "false", "RATE_LIMIT": "false",
					"HOST": "127.0.0.1", "DRAIN_SECONDS": "4", "STOP_SECONDS": "30", "DISK_RESERVE_MB": "0",
				})
			}
			client, err := mongo.Connect(options.Client().ApplyURI(uri))
			check(t, err)
			t.Cleanup(func() {
				check(t, client.Database(database).Drop(context.Background()))
				check(t, client.Disconnect(context.Background()))
			})
			b.beginAll(env{"RATE_LIMIT": "true", "DRAIN_SECONDS": "0", "REFRESH_TOKEN_GRACE": grace.String()})
			start(b, port)
			b.actAsOne(client.Database(database), name == "nginx")
			b.stopAll()
			b.beginAll(nil)
			(&process{t: t, base: b.base}).ready() // the balancer has noticed that an instance is back
			b.restartUnderLoad()
			b.stopAll()
		})
	}
}

// beginAll starts both processes with additional settings.
func (b *balancer) beginAll(settings env) {
	b.t.Helper()
	usual := b.back
	defer func() { b.back = usual }()
	for i := range b.back {
		b.back[i] = b.back[i].with(settings)
		b.running[i] = b.begin(i)
	}
}

func (b *balancer) stopAll() {
	b.t.Helper()
	for _, p := range b.running {
		check(b.t, p.cmd.Process.Signal(syscall.SIGTERM))
	}
	for _, p := range b.running {
		if err := p.cmd.Wait(); err != nil {
			b.t.Errorf("a process ended with %v: %s", err, p.printed())
		}
	}
}

// actAsOne checks that both processes together behave like one site: sessions, people's own changes and limits. Ending
// sessions takes long and is checked behind one balancer only.
func (b *balancer) actAsOne(database *mongo.Database, ends bool) {
	front := &process{t: b.t, base: b.base}
	front.register("alice")
	p := pair{t: b.t, one: front, two: front, database: database}
	p.renew(b.t)
	b.seeOwnChanges(p)
	b.playAsGuest(p)
	if ends {
		b.endSessions(p)
	}
	p.limitLogins(b.t)
}

// seeOwnChanges changes a bio repeatedly, and reads it at once from both processes.
func (b *balancer) seeOwnChanges(p pair) {
	v := p.logIn()
	for i := range 5 {
		bio := fmt.Sprint("bio ", i)
		answer, err := v.call(b.t.Context(), "PATCH", b.base+"/api/v1/users/update-user-bio", testsite.M{"bio": bio})
		check(b.t, err)
		if answer.StatusCode != http.StatusOK {
			b.t.Fatal(answer)
		}
		for _, process := range append(b.running[:], p.one, p.one) {
			if answer, err := v.call(b.t.Context(), "GET", process.base+whoAmI, nil); err != nil || !strings.Contains(answer.body, `"`+bio+`"`) {
				b.t.Errorf("%s isn't there: %v, %v", bio, answer, err)
			}
		}
	}
}

// playAsGuest plays in the Token lab without an account: both processes have the same session.
func (b *balancer) playAsGuest(p pair) {
	v := newVisitor()
	check(b.t, b.beginLab(b.t.Context(), v))
	session := claims(b.t, v.cookies["LabRefreshToken"]).Session
	for _, name := range []string{"eight-at-once", "tamper-cookie", "replay-in-grace", "eight-at-once"} {
		answer, err := v.send(b.t.Context(), http.MethodPost, b.base+"/token-lab/experiments/"+name, nil,
			http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {b.base}, "Accept": {"application/json"}})
		check(b.t, err)
		if answer.StatusCode != http.StatusOK || strings.Contains(answer.body, `"ok":false`) || !strings.Contains(answer.body, `"ok":true`) {
			b.t.Errorf("%s: %s", name, answer)
		}
		for _, process := range append(b.running[:], p.one, p.one) {
			var shown struct {
				Session struct {
					ID string `json:"_id"`
				}
			}
			answer, err := v.call(b.t.Context(), http.MethodGet, process.base+"/token-lab", nil)
			check(b.t, err)
			if err := answer.data(&shown); err != nil || shown.Session.ID != session {
				b.t.Errorf("after %s, the session is %v (%v), not %s", name, shown, err, session)
			}
		}
	}
}

// beginLab starts a session of the lab.
func (b *balancer) beginLab(ctx context.Context, v *visitor) error {
	answer, err := v.send(ctx, http.MethodPost, b.base+"/token-lab/session", nil,
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {b.base}, "Accept": {"text/html"}})
	if err == nil && answer.StatusCode != http.StatusSeeOther {
		err = errors.New(answer.String())
	}
	return err
}

// endSessions ends one session by logout, and one by replaying its token after the grace period: both processes refuse
// both.
func (b *balancer) endSessions(p pair) {
	leaves, robbed, stays := p.logIn(), p.logIn(), p.logIn()
	p.runOut(robbed)
	thief := robbed.copied()
	for _, v := range []*visitor{leaves, robbed, stays} {
		for range 4 { // renewed by one process, and in the caches of both
			if code := p.asks(v, p.one); code != http.StatusOK {
				b.t.Fatal(code)
			}
		}
	}
	time.Sleep(grace + time.Second)
	if code := p.asks(thief, p.one); code != http.StatusUnauthorized {
		b.t.Errorf("the response to the replay is %d", code)
	}
	answer, err := leaves.copied().call(b.t.Context(), "POST", b.base+"/api/v1/users/logout", nil)
	check(b.t, err)
	if answer.StatusCode != http.StatusOK {
		b.t.Error(answer)
	}
	for _, process := range b.running {
		p.ends(leaves, process)
		p.ends(robbed, process)
		if code := p.asks(stays, process); code != http.StatusOK {
			b.t.Errorf("another session of the user: %d", code)
		}
	}
	for _, v := range []*visitor{leaves, robbed} { // their newest refresh tokens are invalid, too
		p.runOut(v)
		for range 2 {
			if code := p.asks(v.copied(), p.one); code != http.StatusUnauthorized {
				b.t.Errorf("a token of an ended session is renewed: %d", code)
			}
		}
	}
}

// begin starts a process, and waits until it is ready.
func (b *balancer) begin(i int) *process {
	b.t.Helper()
	p := b.program.start(b.t, b.back[i])
	p.base = "http://127.0.0.1:" + b.back[i]["PORT"]
	p.ready()
	p.get("/readyz", http.StatusOK)
	return p
}

// documented is the configuration in docs/deployment.md that contains this part.
func documented(t *testing.T, part string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/deployment.md")
	check(t, err)
	for _, block := range regexp.MustCompile("(?sm)^```\\w*\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(block[1], part) {
			return block[1]
		}
	}
	t.Fatalf("nothing documented has %q", part)
	return ""
}

// replaced replaces each first text with the second; the first must occur.
func replaced(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("%q is not in %s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

func (b *balancer) startNginx(port string) {
	folder := b.t.TempDir()
	file := filepath.Join(folder, "nginx.conf")
	server := replaced(b.t, documented(b.t, "proxy_request_buffering"),
		"listen 443 ssl;", "listen 127.0.0.1:"+port+"; listen [::1]:"+port+";", "server_name tube.example.com;", "",
		"    ssl_certificate     /etc/ssl/tube.pem;\n    ssl_certificate_key /etc/ssl/tube.key;\n", "", "http://127.0.0.1:8000", "http://tokentube")
	write := func(down int) {
		upstream := documented(b.t, "upstream tokentube")
		for i, at := range []string{"127.0.0.1:8001", "127.0.0.1:8002"} {
			to := "127.0.0.1:" + b.back[i]["PORT"]
			if i == down {
				to += " down"
			}
			upstream = replaced(b.t, upstream, at, to)
		}
		temp := ""
		for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			temp += kind + "_temp_path " + filepath.Join(folder, kind) + "; "
		}
		all := "user root; pid " + filepath.Join(folder, "pid") + "; daemon off; error_log stderr; events {}\nhttp { access_log off; " + temp + upstream + server + "}"
		// nginx may still be reading the file after the previous reload.
		check(b.t, os.WriteFile(file+".new", []byte(all), 0o600))
		check(b.t, os.Rename(file+".new", file))
	}
	run := func(more ...string) *exec.Cmd {
		return exec.Command(os.Getenv("NGINX_BIN"), append([]string{"-e", "stderr", "-p", folder, "-c", file}, more...)...)
	}
	tell := func(down int) {
		write(down)
		out, err := run("-s", "reload").CombinedOutput()
		if err != nil {
			b.t.Fatalf("%v: %s", err, out)
		}
	}
	b.leave, b.take = tell, func(int) { tell(-1) }
	write(-1)
	b.spread(run())
}

func (b *balancer) startCaddy(port string) {
	folder := b.t.TempDir()
	file := filepath.Join(folder, "Caddyfile")
	site := replaced(b.t, documented(b.t, "health_uri"), "tube.example.com {", "http://localhost:"+port+" {",
		"127.0.0.1:8001", "127.0.0.1:"+b.back[0]["PORT"], "127.0.0.1:8002", "127.0.0.1:"+b.back[1]["PORT"])
	check(b.t, os.WriteFile(file, []byte("{\nadmin off\ndefault_bind 127.0.0.1 ::1\n}\n"+site), 0o600))
	cmd := exec.Command(os.Getenv("CADDY_BIN"), "run", "--config", file, "--adapter", "caddyfile")
	cmd.Env = []string{"HOME=" + folder, "XDG_DATA_HOME=" + folder, "XDG_CONFIG_HOME=" + folder}
	// It finds out by itself, within one check and a little more.
	b.leave, b.take = func(int) {}, func(int) { time.Sleep(3 * time.Second) }
	b.spread(cmd)
}

// spread starts the balancer, and waits until it responds.
func (b *balancer) spread(cmd *exec.Cmd) {
	b.t.Helper()
	var said output
	cmd.Stdout, cmd.Stderr = &said, &said
	check(b.t, cmd.Start())
	b.t.Cleanup(func() {
		check(b.t, cmd.Process.Signal(syscall.SIGTERM))
		_ = cmd.Wait() // some end with their own status
		if b.t.Failed() {
			said.mu.Lock()
			defer said.mu.Unlock()
			b.t.Log(said.text.String())
		}
	})
	front := &process{t: b.t, base: b.base, cmd: cmd}
	front.ready()
}

// restartUnderLoad restarts both processes, one after the other, while people read, write, upload and watch.
func (b *balancer) restartUnderLoad() {
	l := load{b: b, t: b.t, counts: map[string]*atomic.Int64{}}
	for _, kind := range []string{"pages", "changes", "renewals", "uploads", "streams", "guest's streams"} {
		l.counts[kind] = new(atomic.Int64)
	}
	ctx, stop := context.WithCancel(b.t.Context())
	defer stop()
	var all sync.WaitGroup
	for i := range 3 {
		v := l.member(fmt.Sprint("member", i))
		all.Go(func() { l.use(ctx, v) })
	}
	uploader := l.member("uploader")
	all.Go(func() { l.upload(ctx, uploader) })
	watcher := l.member("watcher")
	all.Go(func() { l.watch(ctx, watcher, "streams") })
	guest := newClient()
	all.Go(func() { l.watch(ctx, guest, "guest's streams") })
	for i := range b.running {
		before := l.counts["pages"].Load()
		b.leave(i)
		check(b.t, b.running[i].cmd.Process.Signal(syscall.SIGTERM))
		if err := b.running[i].cmd.Wait(); err != nil {
			b.t.Errorf("a process ended with %v: %s", err, b.running[i].printed())
		}
		b.running[i] = b.begin(i)
		b.take(i)
		if l.counts["pages"].Load() == before {
			b.t.Error("nobody read a page meanwhile")
		}
	}
	time.Sleep(2 * time.Second)
	stop()
	all.Wait()
	for kind, n := range l.counts {
		b.t.Logf("%s: %d", kind, n.Load())
		if n.Load() < 2 {
			b.t.Errorf("there were %d %s", n.Load(), kind)
		}
	}
}

// load simulates people who use the site. Any refusal is a fault.
type load struct {
	b      *balancer
	t      *testing.T
	counts map[string]*atomic.Int64
}

// newClient is a visitor whose requests use a connection each: nginx closes the browsers' idle connections when it
// reloads, and with them a request that has just been sent on one. Browsers resend it, http.Client only resends a GET.
func newClient() *visitor {
	v := newVisitor()
	v.client.Transport = &http.Transport{DisableKeepAlives: true}
	return v
}

func (l load) member(name string) *visitor {
	l.t.Helper()
	v := newClient()
	answer, err := v.call(l.t.Context(), "POST", l.b.base+"/api/v1/users/register",
		testsite.M{"username": name, "email": name + "@example.com", "fullName": name, "password": testsite.Password})
	check(l.t, err)
	if answer.StatusCode != http.StatusCreated {
		l.t.Fatal(answer)
	}
	return v
}

// done counts a request, unless it was lost.
func (l load) done(kind string, answer *reply, err error) {
	switch {
	case err != nil:
		l.t.Errorf("%s: %v", kind, err)
	case answer.StatusCode >= 400:
		l.t.Errorf("%s: %v", kind, answer)
	default:
		l.counts[kind].Add(1)
	}
}

func (l load) use(ctx context.Context, v *visitor) {
	whole := context.Background() // a request that has begun is completed
	i := 0
	for ; ctx.Err() == nil; i++ {
		answer, err := v.open(whole, l.b.base+"/")
		l.done("pages", answer, err)
		answer, err = v.call(whole, "PATCH", l.b.base+"/api/v1/users/update-user-bio", testsite.M{"bio": fmt.Sprint("bio ", i)})
		l.done("changes", answer, err)
		answer, err = v.call(whole, "POST", l.b.base+"/api/v1/users/regenerate-tokens", nil)
		l.done("renewals", answer, err)
	}
	last := fmt.Sprintf(`"bio":"bio %d"`, i-1)
	for range 2 { // in both processes
		if answer, err := v.call(whole, "GET", l.b.base+whoAmI, nil); err != nil || !strings.Contains(answer.body, last) {
			l.t.Errorf("the last change was lost: %v, %v", answer, err)
		}
	}
}

// upload sends pictures, each over several seconds.
func (l load) upload(ctx context.Context, v *visitor) {
	picture := image.NewGray(image.Rect(0, 0, 700, 700))
	for i := range picture.Pix {
		picture.Pix[i] = byte(rand.Uint32()) // #nosec G404 -- so that it can't be compressed
	}
	var content bytes.Buffer
	check(l.t, png.Encode(&content, picture))
	for ctx.Err() == nil {
		answer, err := v.uploadPhoto(l.b.base, content.Bytes(), 150*time.Millisecond)
		l.done("uploads", answer, err)
	}
}

// uploadPhoto publishes a picture, with a pause after every 30 kB.
func (v *visitor) uploadPhoto(base string, content []byte, pause time.Duration) (*reply, error) {
	in, out := io.Pipe()
	form := multipart.NewWriter(out)
	go func() {
		err := errors.Join(form.WriteField("title", "A title"), form.WriteField("alt", "noise"))
		part, failed := form.CreateFormFile("photo", "noise.png")
		for err = errors.Join(err, failed); err == nil && len(content) > 0; time.Sleep(pause) {
			n := min(len(content), 30_000)
			_, err = part.Write(content[:n])
			content = content[n:]
		}
		out.CloseWithError(errors.Join(err, form.Close()))
	}()
	r, err := http.NewRequest(http.MethodPost, base+"/api/v1/photos", in)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Accept", "application/json")
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	answer, err := v.client.Do(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	return &reply{answer, string(body)}, errors.Join(err, answer.Body.Close())
}

// watch opens the event stream of a lab session, and reopens it whenever it ends, like a browser.
func (l load) watch(ctx context.Context, v *visitor, kind string) {
	if err := l.b.beginLab(ctx, v); err != nil {
		l.t.Error(err)
		return
	}
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.b.base+"/token-lab/events", nil)
		check(l.t, err)
		for name, value := range v.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		stream, err := (&http.Client{Transport: v.client.Transport}).Do(r)
		if err != nil {
			if ctx.Err() == nil {
				l.t.Errorf("%s: %v", kind, err)
			}
			return
		}
		first, err := bufio.NewReader(stream.Body).ReadString('\n')
		l.done(kind, &reply{stream, first}, err)
		_, _ = io.Copy(io.Discard, stream.Body) // until the process ends it
		check(l.t, stream.Body.Close())
	}
}
