package controllers

import (
	"context"
	"errors"

	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/passkey"
	"tokentube/utils/respond"
)

// errPasskeyRefused is the error for anything but a valid response from the right passkey. Only the log says what was
// wrong.
func errPasskeyRefused(cause error) error {
	return apperr.New(apperr.Invalid, "That passkey wasn’t accepted. Try again, or use another way.").Because(errors.Join(passkey.ErrRefused, cause))
}

func errNoAnswer() *apperr.Error {
	return apperr.New(apperr.Invalid, "Passkeys need JavaScript and a browser that supports them.")
}

func (a *App) hasPasskey(_ context.Context, u *models.User) (bool, error) {
	return a.Passkeys != nil && u.PasskeysCount > 0, nil
}

// ask issues a challenge to one of the user's passkeys; without a user, to any.
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

// passkeySigned checks what one of the user's passkeys signed. Without a user, any passkey is accepted, and identifies
// its owner. The challenge is consumed first: it must have been issued for this purpose, here and to this user, and it
// works only once (replay).
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

// noteCopied notifies the owner that somebody may have a copy of their passkey, if that is why it was refused.
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

// AskLogin is POST /users/login/passkey/challenge of the API: the options for navigator.credentials.get.
func (p PasskeyActions) AskLogin(c *gin.Context) error { return p.ask(c, models.PasskeyLogin, nil, "") }

type passkeyLogin struct {
	Passkey  string `form:"passkey" json:"passkey"`
	Remember bool   `form:"remember" json:"remember"`
	Next     string `form:"next" json:"next"`
	door
}

// LogIn is POST /login/passkey: a login without a password. It takes no second step: the passkey is something that its
// owner has, and its device has verified who holds it.
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
	if user.DisabledAt != nil { // only the passkey's holder learns this
		return out, apperr.New(apperr.Forbidden, "A moderator has disabled this account.")
	}
	var session *models.Session
	err = p.DB.Atomically(c, func(ctx context.Context) error {
		if err := use(ctx); err != nil {
			return err
		}
		// As in SessionActions.logIn: an account that is disabled in the meantime gets no session.
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

// refusedLogin turns a refused passkey into 401, like a wrong password.
func refusedLogin(err error) error {
	if models.CopiedPasskey(err) != nil || errors.Is(err, passkey.ErrRefused) {
		return apperr.New(apperr.Unauthorized, "%s", apperr.From(err).Message).Because(err)
	}
	return err
}

type halfLogin struct {
	Token string `form:"-" json:"token,omitempty"` // for programs; browsers have the cookie
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
