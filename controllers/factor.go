package controllers

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/gin-gonic/gin"
	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/middlewares"
	"tokentube/models"
	"tokentube/utils/apperr"
	"tokentube/utils/input"
	"tokentube/utils/respond"
)

// FactorActions let users turn two-step login on and off.
type FactorActions struct{ *App }

// Routes registers the feature. Someone who only holds a token of the account must not change how its owner logs in.
func (f FactorActions) Routes(r middlewares.Access) {
	confirmed := r.Sensitive.Confirmed()
	confirmed.Page(http.MethodGet, "/settings/factors", f.Index)
	r.Sensitive.API(http.MethodGet, "/settings/factors", f.Index)
	confirmed.Page(http.MethodGet, "/settings/factors/authenticator", f.New)
	confirmed.Both(http.MethodPut, "/settings/factors/authenticator", f.Create)
	confirmed.Both(http.MethodPatch, "/settings/factors/authenticator", f.Confirm)
	confirmed.Both(http.MethodDelete, "/settings/factors/authenticator", f.Delete)
	confirmed.Both(http.MethodPut, "/settings/factors/recovery-codes", f.RenewCodes)
}

// AuthenticatorApp is a confirmed app, without its secret.
type AuthenticatorApp struct {
	CreatedAt time.Time `json:"createdAt"`
	UsedAt    time.Time `json:"usedAt"`
}

// factorState is how a user's login is protected besides the password.
type factorState struct {
	IsOn          bool              `json:"isOn"`
	Authenticator *AuthenticatorApp `json:"authenticator"`
	Passkeys      []Passkey         `json:"passkeys"`
	PasskeysOff   string            `json:"passkeysOff,omitempty"` // why none can be added
	CodesLeft     int64             `json:"recoveryCodesLeft"`
	Name          string            `json:"-"` // of the passkey that is being added
}

func (a *App) factorState(ctx context.Context, user bson.ObjectID) (out factorState, err error) {
	u, err := a.Users.ByID(ctx, user)
	if err != nil {
		return out, err
	}
	out.IsOn = u.FactorsCount > 0
	app, err := a.Factors.Authenticator(ctx, user, true)
	if err == nil {
		out.Authenticator = &AuthenticatorApp{app.CreatedAt, app.UsedAt}
	} else if !apperr.Is(err, apperr.NotFound) {
		return out, err
	}
	passkeys, err := a.Factors.Passkeys(ctx, user)
	if err != nil {
		return out, err
	}
	out.Passkeys = make([]Passkey, len(passkeys))
	for i, p := range passkeys {
		out.Passkeys[i] = newPasskey(p)
	}
	if a.Passkeys == nil {
		out.PasskeysOff = errPasskeysOff().Message
	}
	left, err := a.Factors.CodesLeft(ctx, user)
	out.CodesLeft = int64(left)
	return out, err
}

// Index is GET /settings/factors.
func (f FactorActions) Index(c *gin.Context) error {
	out, err := f.factorState(c, middlewares.UserID(c))
	if err != nil {
		return err
	}
	return respond.Show(c, "settings/factors", out)
}

// newApp is an authenticator app that is being set up.
type newApp struct {
	Secret string  `json:"secret"`
	URI    string  `json:"uri"`
	QR     drawing `json:"-"`
	Code   string  `json:"-"`
}

// Groups is the secret in groups that are easy to type.
func (a newApp) Groups() string {
	var b strings.Builder
	for i, r := range a.Secret {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (f FactorActions) newApp(c *gin.Context, a *models.Authenticator) (out newApp, err error) {
	out.Secret = a.Secret
	if out.URI, err = a.URI("Tokentube", middlewares.Current(c).User.Username); err != nil {
		return out, err
	}
	out.QR, err = drawQR(out.URI)
	return out, err
}

// drawing is a QR code as an SVG path: no script, no request, no exception in the content security policy.
type drawing struct {
	Size int // including the margin that readers need
	Path string
}

const qrMargin = 4

func drawQR(text string) (drawing, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return drawing{}, err
	}
	size := code.Bounds().Dx()
	var path strings.Builder
	for y := range size {
		for x := range size {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+qrMargin, y+qrMargin)
			}
		}
	}
	return drawing{size + 2*qrMargin, path.String()}, nil
}

// New is GET /settings/factors/authenticator: the QR code of an app that is being set up.
func (f FactorActions) New(c *gin.Context) error {
	page, err := f.pending(c)
	if apperr.Is(err, apperr.NotFound) {
		return respond.Redirect(c, "/settings/factors")
	}
	if err != nil {
		return err
	}
	return respond.Show(c, "settings/authenticator", page)
}

func (f FactorActions) pending(c *gin.Context) (newApp, error) {
	a, err := f.Factors.Authenticator(c, middlewares.UserID(c), false)
	if err != nil {
		return newApp{}, err
	}
	return f.newApp(c, a)
}

// Create is PUT /settings/factors/authenticator: starts to set up an app. Nothing changes until it is confirmed.
func (f FactorActions) Create(c *gin.Context) error {
	a, err := f.Factors.BeginAuthenticator(c, middlewares.UserID(c))
	if err != nil {
		return err
	}
	out, err := f.newApp(c, a)
	if err != nil {
		return err
	}
	return respond.Done(c, "Nothing changes until you enter a code from the app.", "/settings/factors/authenticator", out)
}

type appCode struct {
	Code string `form:"code" json:"code"`
}

// newCodes shows recovery codes, once. The response isn't stored anywhere: see respond.Keep.
type newCodes struct {
	Codes []string `json:"recoveryCodes"`
	Added bool     `json:"-"`
}

const theApp = "an authenticator app"

// Confirm is PATCH /settings/factors/authenticator: from now on, a login requires a code of the app.
func (f FactorActions) Confirm(c *gin.Context) error {
	var in appCode
	err := input.Read(c.Request, &in, nil)
	out := newCodes{Added: true}
	if err == nil {
		out.Codes, err = f.addFactor(c, theApp, theApp, func(ctx context.Context) ([]string, error) {
			return f.Factors.ConfirmAuthenticator(ctx, middlewares.UserID(c), in.Code)
		})
	}
	if apperr.Is(err, apperr.Invalid) && !respond.WantsJSON(c) {
		page, failed := f.pending(c)
		if failed != nil {
			return failed
		}
		return respond.Invalid(c, "settings/authenticator", page, err)
	}
	if err != nil {
		return err
	}
	if out.Codes == nil {
		out.Codes = []string{} // there are some already
	}
	return respond.Show(c, "settings/codes", out)
}

// addFactor adds a factor, records it in detail, and tells its owner only which type it is: an intruder must not be
// able to write text into the owner's email.
func (a *App) addFactor(c *gin.Context, kind, about string, do func(context.Context) ([]string, error)) (codes []string, err error) {
	id := middlewares.Current(c)
	err = a.DB.Atomically(c, func(ctx context.Context) error {
		if codes, err = do(ctx); err != nil {
			return err
		}
		return a.Events.AddAbout(ctx, models.EventFactorAdded, id.Session, middlewares.DeviceOf(c), about)
	})
	if err == nil {
		a.tellAbout(c, models.MailFactorAdded, id.User, middlewares.DeviceOf(c), kind)
	}
	return codes, err
}

// Delete is DELETE /settings/factors/authenticator: removes the app, or stops setting it up. It is idempotent.
func (f FactorActions) Delete(c *gin.Context) error {
	err := f.removeFactor(c, theApp, func(ctx context.Context) (string, error) {
		removed, err := f.Factors.RemoveAuthenticator(ctx, middlewares.UserID(c))
		if !removed {
			return "", err
		}
		return theApp, err
	})
	if err != nil {
		return err
	}
	return respond.Done(c, "The authenticator app is removed.", "/settings/factors", nil)
}

// removeFactor removes a factor, logs it, and notifies its owner, if there was one.
func (a *App) removeFactor(c *gin.Context, kind string, do func(context.Context) (about string, err error)) error {
	id := middlewares.Current(c)
	about := ""
	err := a.DB.Atomically(c, func(ctx context.Context) (err error) {
		if about, err = do(ctx); err != nil || about == "" {
			return err
		}
		return a.Events.AddAbout(ctx, models.EventFactorRemoved, id.Session, middlewares.DeviceOf(c), about)
	})
	if err == nil && about != "" {
		a.tellAbout(c, models.MailFactorRemoved, id.User, middlewares.DeviceOf(c), kind)
	}
	return err
}

// RenewCodes is PUT /settings/factors/recovery-codes: ten new codes replace the old ones.
func (f FactorActions) RenewCodes(c *gin.Context) error {
	id := middlewares.Current(c)
	var out newCodes
	err := f.DB.Atomically(c, func(ctx context.Context) (err error) {
		if out.Codes, err = f.Factors.RenewCodes(ctx, id.User.ID); err != nil {
			return err
		}
		return f.Events.Add(ctx, models.EventCodesRenewed, id.Session, middlewares.DeviceOf(c))
	})
	if err != nil {
		return err
	}
	f.tell(c, models.MailCodesRenewed, id.User)
	return respond.Show(c, "settings/codes", out)
}
