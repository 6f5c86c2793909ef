// Command tokentube serves the site. "go run . help" says what else it does.
package main

import (
	"context"
	"embed"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"tokentube/commands"
	"tokentube/config"
	"tokentube/controllers"
	"tokentube/routes"
	"tokentube/static"
	"tokentube/templates"
	"tokentube/utils/httpserver"
	"tokentube/utils/source"
)

// code is this program itself, which the pages that explain it show.
//
//go:embed config/*.go models/*.go middlewares/*.go controllers/*.go routes/*.go utils/token/*.go utils/httpserver/*.go
var code embed.FS

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	os.Exit(commands.Report(err, os.Stderr))
}

// run serves until ctx ends, or runs the command that is named.
func run(ctx context.Context, args []string) error {
	command, err := commands.Parse(args, os.Stdout)
	if err != nil {
		return err
	}
	env, err := config.Environment()
	if err != nil {
		return err
	}
	cfg, err := config.Load(env)
	if err != nil {
		return fmt.Errorf("the configuration cannot be used:\n%w", err)
	}
	if command != nil {
		return command(ctx, commands.Site{Config: cfg, Out: os.Stdout, Open: func(ctx context.Context) (*controllers.App, error) {
			app, _, err := open(ctx, cfg)
			return app, err
		}})
	}
	app, handler, err := open(ctx, cfg)
	if err != nil {
		return err
	}
	defer commands.Close(app)
	if err := app.DB.Prepare(ctx); err != nil {
		return err
	}
	return httpserver.Run(ctx, handler, httpserver.Settings{
		Host: cfg.Host, Port: cfg.Port, BaseURL: cfg.BaseURL,
		CertFile: cfg.TLSCertFile, KeyFile: cfg.TLSKeyFile, RedirectPort: cfg.HTTPRedirectPort, Log: app.Log,
	}, func() { fmt.Printf("Tokentube is at %s\n", cfg.BaseURL) })
}

// open opens the database and the file storage, and puts the site together: with
// its routes every feature registers its documents.
func open(ctx context.Context, cfg config.Config) (*controllers.App, http.Handler, error) {
	app, err := commands.Open(ctx, cfg, os.Stderr)
	if err != nil {
		return nil, nil, err
	}
	shown, err := source.New(code)
	if err != nil {
		commands.Close(app)
		return nil, nil, err
	}
	handler, err := routes.New(app, templates.FS, static.FS, shown)
	if err != nil {
		commands.Close(app)
	}
	return app, handler, err
}
