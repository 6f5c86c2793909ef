// Command tokentube serves the site. "go run . help" lists its other commands.
package main

import (
	"context"
	"embed"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"tokentube/commands"
	"tokentube/config"
	"tokentube/controllers"
	"tokentube/middlewares"
	"tokentube/routes"
	"tokentube/static"
	"tokentube/templates"
	"tokentube/utils/httpserver"
	"tokentube/utils/metrics"
	"tokentube/utils/source"
)

// code is the source of this program, for the pages that explain it.
//
//go:embed config/*.go models/*.go models/store/*.go middlewares/*.go controllers/*.go controllers/lab/*.go routes/*.go utils/token/*.go utils/httpserver/*.go
var code embed.FS

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	os.Exit(commands.Report(err, os.Stderr))
}

// run serves until ctx is cancelled, or runs the named command.
func run(ctx context.Context, args []string) error {
	command, err := commands.Parse(args, os.Stdout)
	if err != nil {
		return err
	}
	env, err := config.Environment()
	if err != nil {
		return err
	}
	load := config.Load
	if commands.Looks(args) {
		load = config.Look
	}
	cfg, err := load(env)
	if err != nil && !commands.Looks(args) {
		return commands.Misconfigured(err)
	}
	if command != nil {
		return command(ctx, commands.Site{Config: cfg, Faults: err, Out: os.Stdout, Logs: os.Stderr})
	}
	data, err := commands.Open(ctx, cfg, os.Stderr)
	if err != nil {
		return err
	}
	defer data.Close()
	handler, numbers, err := site(cfg, data)
	if err != nil {
		return err
	}
	if err := data.DB.Prepare(ctx); err != nil {
		return err
	}
	data.ServeBackups(cfg)
	return httpserver.Run(ctx, handler, httpserver.Settings{
		Host: cfg.Host, Port: cfg.Port, BaseURL: cfg.BaseURL,
		CertFile: cfg.TLSCertFile, KeyFile: cfg.TLSKeyFile, RedirectPort: cfg.HTTPRedirectPort,
		Connections: cfg.MaxConnections, PerAddress: cfg.MaxPerAddress, IsProxy: middlewares.Trusts(cfg.TrustedProxies),
		MetricsAddr: cfg.MetricsAddr, Metrics: numbers, Drain: cfg.DrainTime, Stop: cfg.StopTime, Log: data.Log,
	}, func() { fmt.Printf("Tokentube is at %s\n", cfg.BaseURL) })
}

// site assembles the site on its stored data, with metrics if they are enabled.
func site(cfg config.Config, data *commands.Data) (handler, numbers http.Handler, err error) {
	app, err := controllers.New(cfg, data.Site, data.Media, data.Log, time.Now)
	if err != nil {
		return nil, nil, err
	}
	if cfg.MetricsAddr != "" {
		m := metrics.New()
		app.Measure(m)
		numbers = m
	}
	shown, err := source.New(code)
	if err != nil {
		return nil, nil, err
	}
	handler, err = routes.New(app, templates.FS, static.FS, shown)
	if err == nil {
		data.DB.UntilClosed(app.DeliverMails)
	}
	return handler, numbers, err
}
