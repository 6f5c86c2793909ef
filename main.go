// Command tokentube serves the site. "go run . seed" fills it with sample
// content first; "go run . help" lists the commands.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"tokentube/commands"
	"tokentube/config"
	"tokentube/routes"
	"tokentube/static"
	"tokentube/templates"
)

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
	handler, err := routes.New(app, templates.FS, static.FS)
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
	return serve(ctx, cfg, handler, app.Log)
}

// serve answers requests until ctx ends, then lets running ones finish.
func serve(ctx context.Context, cfg config.Config, handler http.Handler, log *slog.Logger) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("port %d is in use: stop the other program or set PORT", cfg.Port)
	} else if err != nil {
		return fmt.Errorf("cannot listen: %w", err)
	}
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	fmt.Printf("Tokentube is at %s\n", cfg.BaseURL)
	stopped := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		stopped <- server.Shutdown(end)
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	if err := <-stopped; err != nil {
		log.Warn("requests were cut off", "error", err)
		return server.Close()
	}
	return nil
}
