// Package routes assembles the site: the engine, the order of the middlewares, and a line for each feature.
//
// Does not belong here: logic.
package routes

import (
	"io/fs"
	"net/http"
	"net/netip"

	"github.com/gin-gonic/gin"

	"tokentube/controllers"
	"tokentube/controllers/lab"
	"tokentube/controllers/openapi"
	"tokentube/middlewares"
	"tokentube/utils/apperr"
	"tokentube/utils/assets"
	"tokentube/utils/budget"
	"tokentube/utils/mail"
	"tokentube/utils/respond"
	"tokentube/utils/source"
)

// New makes the handler for the whole site.
func New(app *controllers.App, templates, static fs.FS, code *source.Code) (http.Handler, error) {
	engine, err := NewEngine(app, templates, static, code)
	if err != nil {
		return nil, err
	}
	return Handler(engine), nil
}

// Handler is the engine, wrapped in what must happen before routing.
func Handler(engine *gin.Engine) http.Handler {
	return middlewares.MethodOverride(ownContexts(engine))
}

// ownContexts gives each request its own Gin context. Gin would reuse the context of an earlier request while that
// request's timeouts in the database driver may still be reading it.
func ownContexts(engine *gin.Engine) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := gin.CreateTestContextOnly(w, engine) // not only for tests: it makes a context for this engine
		c.Request = r
		engine.HandleContext(c)
	})
}

// NewEngine makes the engine of the whole site. It knows all routes, so that tests don't need to list them.
func NewEngine(app *controllers.App, templates, static fs.FS, code *source.Code) (*gin.Engine, error) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false // Gin would redirect by itself, without our headers
	engine.ContextWithFallback = true    // a handler's context is cancelled with its request
	if err := engine.SetTrustedProxies(nil); err != nil {
		return nil, err
	}
	files, err := assets.New(static)
	if err != nil {
		return nil, err
	}
	pages, err := respond.NewRenderer(templates, respond.Funcs(files.Path, app.Now))
	if err != nil {
		return nil, err
	}
	if app.Letters, err = mail.ParseLetters(templates, "mail"); err != nil {
		return nil, err
	}
	crossOrigin, err := middlewares.CrossOrigin(app.Config.CORSOrigins, app.Config.BaseURL)
	if err != nil {
		return nil, err
	}
	flash := respond.Flash{Prefix: app.Config.CookiePrefix, Secure: app.Auth.Cookies.Secure, Key: app.Config.RefreshTokenSecret, Now: app.Now}
	responder := respond.New(pages, app.Viewer, app.Config.BaseURL, flash, app.Log)
	engine.Use(responder.Use, middlewares.RequestID)
	if app.Metrics != nil {
		engine.Use(middlewares.Measure(app.Metrics))
	}
	engine.Use(
		middlewares.Log(app.Log),
		middlewares.Recover(app.Log),
		middlewares.Forwarded(app.Config.TrustedProxies, app.Log),
		middlewares.SecurityHeaders(app.Config.HTTPS()),
		middlewares.InFlight(budget.New[netip.Prefix](app.Config.MaxPerAddress, app.Config.MaxConnections)),
		middlewares.OneRange,
		crossOrigin,
	)
	engine.NoRoute(app.Auth.VerifyJWTNoRenew, fail(apperr.NotFound, "There's no page at this address."))
	access := middlewares.NewAccess(engine, app.Auth, article)
	engine.NoMethod(app.Auth.VerifyJWTNoRenew, access.Forms.Open, fail(apperr.MethodNotAllowed, "This page can't be opened directly."))
	engine.GET("/static/*name", middlewares.Progress, files.Serve)
	engine.HEAD("/static/*name", files.Serve)
	return engine, register(app, ownContexts(engine), access, code)
}

// register adds the features, one per line. The Token lab sends its requests to the site.
func register(app *controllers.App, site http.Handler, access middlewares.Access, code *source.Code) error {
	controllers.NewHealth(app).Routes(access)
	controllers.Keys{App: app}.Routes(access)
	controllers.UserActions{App: app}.Routes(access)
	controllers.Welcome{App: app}.Routes(access)
	controllers.SessionActions{App: app}.Routes(access)
	controllers.PasswordResets{App: app}.Routes(access)
	controllers.EmailAddresses{App: app}.Routes(access)
	controllers.NotMe{App: app}.Routes(access)
	controllers.MailBox{App: app}.Routes(access)
	controllers.Confirmations{App: app}.Routes(access)
	controllers.Settings{App: app}.Routes(access)
	controllers.FactorActions{App: app}.Routes(access)
	controllers.PasskeyActions{App: app}.Routes(access)
	controllers.Devices{App: app}.Routes(access)
	controllers.Security{App: app}.Routes(access)
	controllers.Feeds{App: app}.Routes(access)
	controllers.NewSamples(app).Routes(access)
	controllers.Atom{App: app}.Routes(access)
	controllers.PostActions{App: app}.Routes(access)
	controllers.Files{App: app}.Routes(access)
	controllers.LikeActions{App: app}.Routes(access)
	controllers.SubscriptionActions{App: app}.Routes(access)
	controllers.BlockActions{App: app}.Routes(access)
	controllers.NotificationActions{App: app}.Routes(access)
	controllers.HistoryActions{App: app}.Routes(access)
	controllers.PlaylistActions{App: app}.Routes(access)
	controllers.CommentActions{App: app}.Routes(access)
	controllers.Studio{App: app}.Routes(access)
	controllers.NewExports(app).Routes(access)
	controllers.ReportActions{App: app}.Routes(access)
	controllers.AdminReports{App: app}.Routes(access)
	controllers.AdminAccounts{App: app}.Routes(access)
	controllers.NewBackups(app).Routes(access)
	openapi.New(app).Routes(access)
	return registerLab(app, site, access, code)
}

// registerLab adds Learn, the Token lab, and the sitemap that lists their pages.
func registerLab(app *controllers.App, site http.Handler, access middlewares.Access, code *source.Code) error {
	learn, err := lab.NewLearn(code)
	if err != nil {
		return err
	}
	learn.Routes(access)
	controllers.NewSitemap(app, append([]string{"/", "/token-lab", respond.DocsPath}, learn.Paths()...)).Routes(access)
	tokenLab, err := lab.New(app, code, site)
	if err != nil {
		return err
	}
	tokenLab.Routes(access)
	editor, err := lab.NewEditor(tokenLab, code)
	if err != nil {
		return err
	}
	editor.Routes(access)
	return nil
}

func fail(code apperr.Code, message string) gin.HandlerFunc {
	return respond.Handle(func(*gin.Context) error { return apperr.New(code, "%s", message) })
}
