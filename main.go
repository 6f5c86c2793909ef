// Command tokentube serves the site. "go run . seed" fills it with sample
// content first.
package main

import (
	"context"
	"embed"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"tokentube/commands"
	"tokentube/config"
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
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run loads the settings, opens the database and the file storage, and serves
// until ctx ends; or runs the command that is named.
func run(ctx context.Context, args []string) error {
	env, err := config.Environment()
	if err != nil {
		return err
	}
	cfg, err := config.Load(env)
	if err != nil {
		return fmt.Errorf("the configuration cannot be used:\n%w", err)
	}
	app, err := commands.Open(ctx, cfg, os.Stderr)
	if err != nil {
		return err
	}
	defer commands.Close(app)
	shown, err := source.New(code)
	if err != nil {
		return err
	}
	handler, err := routes.New(app, templates.FS, static.FS, shown)
	if err != nil {
		return err
	}
	// Now every feature has registered its documents, also for the commands.
	if err := app.DB.Prepare(ctx); err != nil {
		return err
	}
	if len(args) > 0 {
		return commands.Run(ctx, app, args)
	}
	return httpserver.Run(ctx, handler, httpserver.Settings{
		Host: cfg.Host, Port: cfg.Port, BaseURL: cfg.BaseURL,
		CertFile: cfg.TLSCertFile, KeyFile: cfg.TLSKeyFile, RedirectPort: cfg.HTTPRedirectPort, Log: app.Log,
	}, func() { fmt.Printf("Tokentube is at %s\n", cfg.BaseURL) })
}
