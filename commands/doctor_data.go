package commands

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/localdb"
	"tokentube/utils/mail"
	"tokentube/utils/media"
)

// statNamed is os.Stat for a name that may be empty.
func statNamed(path string) (fs.FileInfo, error) {
	if path == "" {
		return nil, fs.ErrNotExist
	}
	return os.Stat(path)
}

// folder checks DATA_DIR from outside.
func (p *patient) folder() {
	const about = "DATA_DIR"
	info, err := statNamed(p.DataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if parent := existing(p.DataDir); !mayChange(parent) {
			p.say(fault, about, "Make the folder, and give it to the user that runs the site, or set DATA_DIR.", "%s is not there and cannot be made in %s.", p.DataDir, parent)
		} else {
			p.ok(about, "%s is not there yet: the first start makes it.", p.DataDir)
		}
		return
	case err != nil:
		p.say(fault, about, "Let the user that runs the site open it.", "it cannot be looked at: %s.", err)
		return
	case !info.IsDir():
		p.say(fault, about, "Set it to a folder.", "%s is not a folder.", p.DataDir)
		return
	}
	before := len(p.findings)
	if hasModes && info.Mode()&0o077 != 0 {
		p.say(note, about, "Run: chmod 700 "+p.DataDir, "other users of this machine can look into %s (%s).", p.DataDir, info.Mode().Perm())
	}
	for _, path := range []string{p.DataDir, p.DatabaseFile(), p.MediaDir(), filepath.Join(p.MediaDir(), "private"), filepath.Join(p.MediaDir(), "public")} {
		if _, err := os.Stat(path); err == nil && !mayChange(path) {
			p.say(fault, about, "Give it to the user that runs the site (chown), and mount it for writing.", "%s cannot be written to.", path)
		}
	}
	if err := unfinishedRestore(p.DataDir); err != nil {
		p.say(fault, about, "", "%s.", explained(err))
	}
	if len(p.findings) == before {
		p.ok(about, "%s can be used, and by nobody else.", p.DataDir)
	}
}

// existing is the nearest existing folder at or above a path.
func existing(path string) string {
	path, err := filepath.Abs(path)
	for err == nil && path != filepath.Dir(path) && !exists(path) {
		path = filepath.Dir(path)
	}
	return path
}

// space checks the disks of the data and of the files.
func (p *patient) space() {
	free, err := media.FreeSpace(existing(p.DataDir))
	switch {
	case err != nil: // this system doesn't report it
	case p.DiskReserve > 0 && free < p.DiskReserve:
		p.say(fault, "DISK_RESERVE_MB", "Free some space, or lower the reserve.", "%d MB are free and %d MB are kept: uploads are refused.", free>>20, p.DiskReserve>>20)
	case free < 2*p.DiskReserve || free < 64<<20:
		p.say(note, "disk", "Free some space.", "only %d MB are free in DATA_DIR.", free>>20)
	default:
		p.ok("disk", "%d MB are free in DATA_DIR, of which uploads leave %d MB.", free>>20, p.DiskReserve>>20)
	}
}

// fastClock is how far clocks may be apart: within that, a token of another process doesn't count as issued in the
// future.
const fastClock = 5 * time.Second

// database opens the database for reading.
func (p *patient) database(ctx context.Context) {
	about := "MONGODB_URI"
	if p.MongoURI == "" {
		about = "database"
		info, err := os.Stat(p.DatabaseFile())
		if errors.Is(err, fs.ErrNotExist) {
			p.ok(about, "there is none yet: the first start makes it.")
			return
		}
		if err == nil && info.ModTime().After(time.Now().Add(time.Minute)) {
			p.say(fault, "clock", "Set the clock of this machine: tokens and sessions depend on it.", "the database was written in the future, on %s.", info.ModTime().Format(time.DateTime))
		}
	}
	db, err := store.Open(ctx, store.Settings{MongoURI: p.MongoURI, MongoDatabase: p.MongoDatabase, File: p.DatabaseFile(), ReadOnly: true, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if errors.Is(err, localdb.ErrInUse) {
		p.ok(about, "the site, or a command, is working with it. To have its inside looked at, stop that first.")
		return
	}
	if err != nil {
		do := "Start the server, and check the address, the user and the network."
		if p.MongoURI == "" {
			do = "It was left as it is."
		}
		p.say(fault, about, do, "it cannot be opened: %s.", explained(err))
		return
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	models.New(db, models.Settings{Key: "none"}) // registers the indexes
	p.examine(ctx, about, db)
}

func (p *patient) examine(ctx context.Context, about string, db *store.DB) {
	missing, empty, err := db.MissingIndexes(ctx)
	switch {
	case err != nil:
		p.say(fault, about, "Let the user of the address read and write this database.", "it cannot be read: %s.", explained(err))
		return
	case empty:
		p.ok(about, "it can be opened, and has nothing of this site yet.")
	case len(missing) > 0:
		p.say(note, about, "Start the site: it makes them.", "indexes are missing: %s.", strings.Join(missing, ", "))
	default:
		p.ok(about, "it can be opened, and all indexes are there.")
	}
	if !db.Transactions() {
		p.say(note, about, "Make it a replica set of one (docs/deployment.md#mongodb).", "the server has no transactions: a crash may leave counts wrong.")
	}
	if now, err := db.ServerTime(ctx); err == nil && !now.IsZero() {
		if apart := time.Since(now); apart.Abs() > fastClock {
			p.say(fault, "clock", "Set both by NTP.", "the clock of this machine is %s apart from the database's.", apart.Round(time.Second))
		} else {
			p.ok("clock", "agrees with the database's.")
		}
	}
}

// bucket requests a file that cannot exist. It writes nothing, so whether writing would work remains unknown.
func (p *patient) bucket(ctx context.Context) {
	const about = "MEDIA_URL"
	u, err := url.Parse(p.MediaURL)
	if p.MediaURL == "" || err != nil {
		if err != nil { // whose text contains the key
			p.say(fault, about, "In a key, write / as %2F.", "it is not a valid URL.")
		}
		return
	}
	if u.Scheme == "file" {
		if dir := filepath.FromSlash(u.Host + u.Path); !mayChange(dir) {
			p.say(fault, about, "Mount or make the folder, and give it to the user that runs the site.", "%s is not there or cannot be written to.", dir)
		} else {
			p.ok(about, "the folder %s can be used.", dir)
		}
		return
	}
	if dir := os.TempDir(); !mayChange(dir) { // see media.Store.Spool
		p.say(fault, "TMPDIR", "Set it to a folder that the user that runs the site can write to.", "pictures on their way to the bucket wait in %s, which is not there or cannot be written to.", dir)
	}
	var name [16]byte
	_, _ = rand.Read(name[:]) // never fails
	files, err := media.Open(ctx, p.MediaURL, "", media.Limits{})
	if err == nil {
		defer func() { _ = files.Close() }()
		_, err = files.Exists(ctx, "private/"+hex.EncodeToString(name[:])+".jpg")
	}
	if err != nil {
		p.say(fault, about, "Check the name, the region, the endpoint and the key, which needs s3:ListBucket and s3:GetObject.", "the bucket cannot be read: %s.", explained(err))
		return
	}
	p.ok(about, "the bucket can be read. Whether it can be written to, the first upload tells.")
}

// mail connects to the mail server.
func (p *patient) mail(ctx context.Context) {
	const about = "SMTP_URL"
	if p.SMTP == nil {
		if p.Env == "production" {
			p.say(note, about, "Set it to the address of a mail server.", "the site sends no mail: a forgotten password cannot be replaced.")
		}
		return
	}
	sender, err := mail.NewSMTP(p.SMTP, p.MailFrom)
	if err == nil {
		err = sender.Greet(ctx)
	}
	if err != nil {
		p.say(fault, about, "Check the host, the port, TLS, the user and the password.", "the mail server does not take the login: %s.", explained(err))
		return
	}
	p.ok(about, "the mail server at %s responds.", p.SMTP.Host)
}
