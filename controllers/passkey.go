package controllers

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/passkey"
	"tokentube/utils/respond"
)

// PasskeyActions are how users add passkeys, and use them: to log in without a password, as the second step of a login, and
// to confirm that it's them. Each use begins with a challenge, which the passkey signs.
type PasskeyActions struct{ *App }

// Routes registers the feature. The second step and the confirmation themselves are in second.go and confirm.go.
func (p PasskeyActions) Routes(r middlewares.Access) {
	challenges := p.Auth.Limits.Challenges
	guest := r.Guest.NoRenew()
	guest.Limit(challenges).API(http.MethodPost, "/login/passkey/challenge", p.AskLogin)
	guest.Both(http.MethodPost, "/login/passkey", p.LogIn)
	guest.Limit(challenges).API(http.MethodPost, "/login/code/challenge", p.AskSecond)
	r.Sensitive.Limit(challenges).API(http.MethodPost, "/confirm/challenge", p.AskConfirm)

	confirmed := r.Sensitive.Confirmed()
	confirmed.Limit(challenges).API(http.MethodPost, "/settings/factors/passkeys/challenge", p.AskNew)
	confirmed.Both(http.MethodPost, "/settings/factors/passkeys", p.Create)
	confirmed.Page(http.MethodGet, "/settings/factors/passkeys/:id", p.Edit)
	confirmed.Both(http.MethodPatch, "/settings/factors/passkeys/:id", p.Update)
	confirmed.Both(http.MethodDelete, "/settings/factors/passkeys/:id", p.Delete)
}

// Passkey is one of the user's own.
type Passkey struct {
	ID         string     `json:"_id"`
	Name       string     `json:"name"`
	Synced     bool       `json:"synced"` // it is on several devices, or in an account elsewhere
	CreatedAt  time.Time  `json:"createdAt"`
	LastUsedAt *time.Time `json:"lastUsedAt"`
}

func newPasskey(p *models.Passkey) Passkey {
	return Passkey{p.ID.Hex(), p.Name, p.Synced, p.CreatedAt, p.LastUsedAt}
}

const aPasskey = "a passkey"

func thePasskey(p *models.Passkey) string { return aPasskey + ", “" + p.Name + "”" }

func errPasskeysOff() *apperr.Error {
	return apperr.New(apperr.Conflict, "There are no passkeys here: they belong to a site’s name, and the address of this site is a number. Open it at a name, such as localhost.")
}

// errPasskeyRefused is the error of all that is no answer of the right passkey: which part is wrong is for the log.
func errPasskeyRefused(cause error) error {
	return apperr.New(apperr.Invalid, "That passkey wasn’t accepted. Try again, or use another way.").Because(errors.Join(passkey.ErrRefused, cause))
}

func errNoAnswer() *apperr.Error {
	return apperr.New(apperr.Invalid, "Passkeys need JavaScript, and a browser that knows them.")
}

func (a *App) hasPasskey(_ context.Context, u *models.User) (bool, error) {
	return a.Passkeys != nil && u.PasskeysCount > 0, nil
}

// person is a user as passkeys know them: by their id, which never changes.
func person(u *models.User, keys ...*models.Passkey) passkey.Person {
	who := passkey.Person{ID: u.ID[:], Name: u.Username, DisplayName: u.FullName}
	for _, k := range keys {
		who.Keys = append(who.Keys, passkey.Key{
			ID: k.Credential, Public: k.PublicKey, Count: uint32(k.SignCount), // #nosec G115 -- it was one
			Transports: k.Transports, Syncable: k.Syncable, Synced: k.Synced,
		})
	}
	return who
}

// ask gives a challenge to one of the user's passkeys; without a user, to any.
func (p PasskeyActions) ask(c *gin.Context, purpose models.PasskeyPurpose, user *models.User, where string) error {
	if p.Passkeys == nil {
		return errPasskeysOff()
	}
	var who *passkey.Person
	var id bson.ObjectID
	if user != nil {
		keys, err := p.Factors.Passkeys(c, user.ID)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return apperr.New(apperr.Conflict, "You have no passkey.")
		}
		asked := person(user, keys...)
		who, id = &asked, user.ID
	}
	options, challenge, err := p.Passkeys.Ask(who)
	if err != nil {
		return err
	}
	if err := p.Factors.Ask(c, purpose, id, where, challenge); err != nil {
		return err
	}
	return respond.Show(c, "", options)
}

// passkeySigned checks what one of the user's passkeys signed; without a user, what any did, and finds whose it is. The
// challenge is used up first: it must have been given out for this purpose, here, to them, and only once (replay).
func (a *App) passkeySigned(c *gin.Context, purpose models.PasskeyPurpose, user *models.User, where, answer string) (*models.User, use, error) {
	if a.Passkeys == nil {
		return nil, nil, errPasskeysOff()
	}
	if answer == "" {
		return nil, nil, errNoAnswer()
	}
	signed, err := passkey.ReadSigned([]byte(answer))
	if err != nil {
		return nil, nil, errPasskeyRefused(err)
	}
	var id bson.ObjectID
	if user != nil {
		id = user.ID
	}
	if err := a.Factors.Answered(c, purpose, id, where, signed.Challenge()); err != nil {
		return nil, nil, err
	}
	key, err := a.Factors.PasskeyByCredential(c, signed.Key())
	if err == nil && user == nil {
		user, err = a.Users.ByID(c, key.User)
	}
	if apperr.Is(err, apperr.NotFound) || err == nil && key.User != user.ID {
		return nil, nil, errPasskeyRefused(err)
	}
	if err != nil {
		return nil, nil, err
	}
	count, synced, err := a.Passkeys.Check(person(user, key), signed)
	if err != nil {
		return nil, nil, errPasskeyRefused(err)
	}
	return user, func(ctx context.Context) error {
		err := a.Factors.UsePasskey(ctx, key, int64(count), synced)
		if apperr.Is(err, apperr.NotFound) { // removed a moment ago
			err = errPasskeyRefused(err)
		}
		return err
	}, nil
}

// noteCopied tells the owner of a passkey that somebody may have a copy of it, if that is why it was refused.
func (a *App) noteCopied(c *gin.Context, err error) {
	key := models.CopiedPasskey(err)
	if key == nil {
		return
	}
	ctx := context.WithoutCancel(c)
	if err := a.Events.AddAbout(ctx, models.EventPasskeyCopied, &models.Session{User: key.User}, middlewares.DeviceOf(c), thePasskey(key)); err != nil {
		a.Log.ErrorContext(c, "event not kept", "event", models.EventPasskeyCopied, "error", err)
	}
	user, err := a.Users.ByID(ctx, key.User)
	if err != nil {
		a.Log.ErrorContext(c, "nobody told of a copied passkey", "error", err)
		return
	}
	a.tell(c, models.MailPasskeyCopied, user)
}

// AskLogin is POST /users/login/passkey/challenge of the API: what navigator.credentials.get takes.
func (p PasskeyActions) AskLogin(c *gin.Context) error { return p.ask(c, models.PasskeyLogin, nil, "") }

type passkeyLogin struct {
	Passkey  string `form:"passkey" json:"passkey"`
	Remember bool   `form:"remember" json:"remember"`
	Next     string `form:"next" json:"next"`
	door
}

// LogIn is POST /login/passkey: a login without a password. It takes no second step: the passkey is something that its owner
// has, and its device has made sure who holds it.
func (p PasskeyActions) LogIn(c *gin.Context) error {
	var in passkeyLogin
	err := input.Read(c.Request, &in, nil)
	var out signedIn
	if err == nil {
		out, err = p.logIn(c, in)
		countLogin(c, false, err)
	}
	if err != nil {
		return respond.Invalid(c, "sessions/new", login{Next: safeNext(in.Next), Remember: in.Remember, door: p.openDoor(c)}, err)
	}
	return respond.Done(c, "You are logged in.", safeNext(in.Next), out)
}

func (p PasskeyActions) logIn(c *gin.Context, in passkeyLogin) (out signedIn, err error) {
	if err := p.checkCookies(c, in.door); err != nil {
		return out, err
	}
	user, use, err := p.passkeySigned(c, models.PasskeyLogin, nil, "", in.Passkey)
	if err != nil {
		return out, refusedLogin(err)
	}
	if user.DisabledAt != nil { // said only to who has the passkey
		return out, apperr.New(apperr.Forbidden, "A moderator has disabled this account.")
	}
	var session *models.Session
	err = p.DB.Atomically(c, func(ctx context.Context) error {
		if err := use(ctx); err != nil {
			return err
		}
		// As in SessionActions.logIn: an account that is disabled meanwhile has no session afterwards.
		if err := p.Users.ConfirmPassword(ctx, user); err != nil {
			return err
		}
		session, err = p.beginSession(ctx, c, user, in.Remember)
		return err
	})
	p.noteCopied(c, err)
	if apperr.Is(err, apperr.NotFound) {
		err = errPasskeyRefused(err)
	}
	if err != nil {
		return out, refusedLogin(err)
	}
	return p.signIn(c, user, session)
}

// refusedLogin is an error as a login tells it: like a wrong password.
func refusedLogin(err error) error {
	if models.CopiedPasskey(err) != nil || errors.Is(err, passkey.ErrRefused) {
		return apperr.New(apperr.Unauthorized, "%s", apperr.From(err).Message).Because(err)
	}
	return err
}

type halfLogin struct {
	Token string `form:"-" json:"token,omitempty"` // of programs; browsers have the cookie
}

// AskSecond is POST /users/login/second/challenge of the API: a challenge for the second step of a login.
func (p PasskeyActions) AskSecond(c *gin.Context) error {
	var in halfLogin
	if err := input.Read(c.Request, &in, nil); err != nil {
		return err
	}
	claims, user, err := SessionActions(p).pending(c, in.Token)
	if err != nil {
		return err
	}
	return p.ask(c, models.PasskeySecond, user, claims.ID)
}

// AskConfirm is POST /users/confirm/challenge of the API: a challenge for Confirmations.Create.
func (p PasskeyActions) AskConfirm(c *gin.Context) error {
	id := middlewares.Current(c)
	return p.ask(c, models.PasskeyConfirm, id.User, id.Session.ID.Hex())
}

// confirmByPasskey is checkPassword with a passkey.
func (a *App) confirmByPasskey(c *gin.Context, answer string) error {
	id := middlewares.Current(c)
	_, use, err := a.passkeySigned(c, models.PasskeyConfirm, id.User, id.Session.ID.Hex(), answer)
	if err == nil {
		err = use(c)
	}
	a.noteCopied(c, err)
	if err != nil && !apperr.Is(err, apperr.Invalid) {
		return err
	}
	return a.proved(c, err == nil, err)
}

// AskNew is POST /users/factors/passkeys/challenge of the API: what navigator.credentials.create takes.
func (p PasskeyActions) AskNew(c *gin.Context) error {
	if p.Passkeys == nil {
		return errPasskeysOff()
	}
	id := middlewares.Current(c)
	keys, err := p.Factors.Passkeys(c, id.User.ID)
	if err != nil {
		return err
	}
	if len(keys) >= models.MaxPasskeys { // told before the device makes one for nothing
		return models.ErrManyPasskeys()
	}
	options, challenge, err := p.Passkeys.AskNew(person(id.User, keys...))
	if err != nil {
		return err
	}
	if err := p.Factors.Ask(c, models.PasskeyAdd, id.User.ID, id.Session.ID.Hex(), challenge); err != nil {
		return err
	}
	return respond.Show(c, "", options)
}

type passkeyForm struct {
	Name    string `form:"name" json:"name"`
	Passkey string `form:"passkey" json:"passkey,omitempty"`
}

// addedPasskey is shown with recovery codes, once: see newCodes.
type addedPasskey struct {
	Passkey Passkey `json:"passkey"`
	newCodes
}

// Create is POST /settings/factors/passkeys: adds one. From now on, a login takes it, or a password and a second step.
func (p PasskeyActions) Create(c *gin.Context) error {
	var in passkeyForm
	err := input.Read(c.Request, &in, nil)
	var out addedPasskey
	if err == nil {
		out, err = p.add(c, in)
	}
	if err == nil {
		return respond.Show(c, "settings/codes", out)
	}
	page, failed := p.factorState(c, middlewares.UserID(c))
	if failed != nil {
		return failed
	}
	page.Name = in.Name
	return respond.Invalid(c, "settings/factors", page, err)
}

func (p PasskeyActions) add(c *gin.Context, in passkeyForm) (out addedPasskey, err error) {
	if p.Passkeys == nil {
		return out, errPasskeysOff()
	}
	if err := models.CheckPasskeyName(in.Name); err != nil {
		return out, err
	}
	if in.Passkey == "" {
		return out, errNoAnswer()
	}
	made, err := passkey.ReadMade([]byte(in.Passkey))
	if err != nil {
		return out, errPasskeyRefused(err)
	}
	id := middlewares.Current(c)
	if err := p.Factors.Answered(c, models.PasskeyAdd, id.User.ID, id.Session.ID.Hex(), made.Challenge()); err != nil {
		return out, err
	}
	key, err := p.Passkeys.CheckMade(person(id.User), made)
	if err != nil {
		return out, errPasskeyRefused(err)
	}
	added := &models.Passkey{
		User: id.User.ID, Name: strings.TrimSpace(in.Name), Credential: key.ID, PublicKey: key.Public, SignCount: int64(key.Count),
		Transports: key.Transports, Syncable: key.Syncable, Synced: key.Synced,
	}
	out.Added = true
	out.Codes, err = p.addFactor(c, aPasskey, thePasskey(added), func(ctx context.Context) ([]string, error) {
		return p.Factors.AddPasskey(ctx, added)
	})
	if out.Codes == nil {
		out.Codes = []string{} // there are some already
	}
	out.Passkey = newPasskey(added)
	return out, err
}

// Edit is GET /settings/factors/passkeys/:id.
func (p PasskeyActions) Edit(c *gin.Context) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	key, err := p.Factors.Passkey(c, user, id)
	if err != nil {
		return err
	}
	return respond.Show(c, "settings/passkey", newPasskey(key))
}

// Update is PATCH /settings/factors/passkeys/:id: gives one another name.
func (p PasskeyActions) Update(c *gin.Context) error {
	var in passkeyForm
	user, id, err := target(c)
	if err != nil {
		return err
	}
	if err := input.Read(c.Request, &in, nil); err != nil {
		return err
	}
	key, err := p.Factors.RenamePasskey(c, user, id, in.Name)
	if apperr.Is(err, apperr.Invalid) && !respond.WantsJSON(c) {
		was, failed := p.Factors.Passkey(c, user, id)
		if failed != nil {
			return failed
		}
		page := newPasskey(was)
		page.Name = in.Name
		return respond.Invalid(c, "settings/passkey", page, err)
	}
	if err != nil {
		return err
	}
	return respond.Done(c, "Renamed.", "/settings/factors", newPasskey(key))
}

// Delete is DELETE /settings/factors/passkeys/:id: from now on, it opens nothing here.
func (p PasskeyActions) Delete(c *gin.Context) error {
	user, id, err := target(c)
	if err != nil {
		return err
	}
	err = p.removeFactor(c, aPasskey, func(ctx context.Context) (string, error) {
		key, err := p.Factors.RemovePasskey(ctx, user, id)
		if err == nil && key == nil {
			err = store.ErrNotFound()
		}
		if err != nil {
			return "", err
		}
		return thePasskey(key), nil
	})
	if err != nil {
		return err
	}
	return respond.Done(c, "The passkey is removed. Delete it on your device, too.", "/settings/factors", nil)
}
