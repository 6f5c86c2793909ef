package controllers

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/models/store"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/passkey"
	"tokentube/utils/respond"
)

// PasskeyActions let users add passkeys (this file) and use them (passkey_use.go): to log in without a password, as the
// second step of a login, and to confirm that it's them. Each use starts with a challenge, which the passkey signs.
type PasskeyActions struct{ *App }

// Routes registers the feature. The second step and the confirmation have their own routes, in second.go and
// confirm.go.
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

// Passkey is one of the user's own passkeys.
type Passkey struct {
	ID         string     `json:"_id"`
	Name       string     `json:"name"`
	Synced     bool       `json:"synced"` // between devices, through an account elsewhere
	CreatedAt  time.Time  `json:"createdAt"`
	LastUsedAt *time.Time `json:"lastUsedAt"`
}

func newPasskey(p *models.Passkey) Passkey {
	return Passkey{p.ID.Hex(), p.Name, p.Synced, p.CreatedAt, p.LastUsedAt}
}

const aPasskey = "a passkey"

func thePasskey(p *models.Passkey) string { return aPasskey + ", “" + p.Name + "”" }

func errPasskeysOff() *apperr.Error {
	return apperr.New(apperr.Conflict, "Passkeys don’t work here: they need a site with a name, and this one is open at an IP address. Open it at a name, such as localhost.")
}

// person identifies a user for passkeys by their id, which never changes.
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

// AskNew is POST /users/factors/passkeys/challenge of the API: the options for navigator.credentials.create.
func (p PasskeyActions) AskNew(c *gin.Context) error {
	if p.Passkeys == nil {
		return errPasskeysOff()
	}
	id := middlewares.Current(c)
	keys, err := p.Factors.Passkeys(c, id.User.ID)
	if err != nil {
		return err
	}
	if len(keys) >= models.MaxPasskeys { // refused before the device makes one for nothing
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

// Create is POST /settings/factors/passkeys: adds a passkey. From then on, logging in takes this passkey, or a password
// and a second step.
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

// Update is PATCH /settings/factors/passkeys/:id: renames a passkey.
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

// Delete is DELETE /settings/factors/passkeys/:id. The passkey can no longer log in here.
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
	return respond.Done(c, "Passkey removed. Delete it on your device, too.", "/settings/factors", nil)
}
