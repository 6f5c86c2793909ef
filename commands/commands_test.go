package commands_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"strings"
	"testing"

	"tokentube/commands"
	"tokentube/config"
	"tokentube/e2e/testsite"
)

// run runs a command on the site that cfg names, as main does.
func run(t *testing.T, cfg config.Config, args ...string) (string, error) {
	t.Helper()
	return runUnder(t.Context(), t, cfg, args...)
}

func runUnder(ctx context.Context, t *testing.T, cfg config.Config, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	command, err := commands.Parse(args, &out)
	if err != nil {
		return out.String(), err
	}
	err = command(ctx, commands.Site{Config: cfg, Out: &out, Logs: io.Discard})
	return out.String(), err
}

// done runs a command that must succeed and print all the texts.
func done(t *testing.T, cfg config.Config, args []string, texts ...string) string {
	t.Helper()
	out, err := run(t, cfg, args...)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	for _, text := range texts {
		if !strings.Contains(out, text) {
			t.Fatalf("%q printed %q, without %q", args, out, text)
		}
	}
	return out
}

// refused runs a command that must fail with all the texts in its error.
func refused(t *testing.T, cfg config.Config, args []string, texts ...string) {
	t.Helper()
	out, err := run(t, cfg, args...)
	if err == nil {
		t.Fatalf("%q went through: %s", args, out)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Fatalf("%q says %q, without %q", args, err, text)
		}
	}
}

// prepared is a stopped site with alice and bob, who have posted something.
func prepared(t *testing.T, change ...func(*testsite.Site)) config.Config {
	t.Helper()
	cfg := testsite.Config(t)
	stopped := testsite.Start(t, cfg)
	alice := stopped.User("alice")
	stopped.User("bob")
	alice.JSON("POST", "/api/v1/tweets", testsite.M{"content": "hello from alice"}).Status(201)
	for _, f := range change {
		f(stopped)
	}
	stopped.Close()
	return cfg
}

func TestWrongArgumentsAreTold(t *testing.T) {
	for text, says := range map[string]string{
		"nonsense":          `unknown command "nonsense"`,
		"-x":                `unknown command "-x"`,
		"seed now":          `"now" is too much`,
		"seed --fast":       "-fast",
		"admin":             "is missing",
		"admin add":         "USER is missing",
		"admin add a b":     `"b" is too much`,
		"admin crown alice": `no "crown"`,
		"admin list --long": "-long",
		"help nonsense":     `unknown command "nonsense"`,
	} {
		var out bytes.Buffer
		command, err := commands.Parse(strings.Split(text, " "), &out)
		if err == nil || command != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, without %q", text, err, says)
		}
		var said bytes.Buffer
		if got := commands.Report(err, &said); got != 2 || !strings.Contains(said.String(), says) {
			t.Errorf("%q: status %d, %q", text, got, said.String())
		}
	}
}

func TestEveryCommandExplainsItself(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"--help"}, {"-h"}} {
		var out bytes.Buffer
		_, err := commands.Parse(args, &out)
		if !errors.Is(err, flag.ErrHelp) || commands.Report(err, io.Discard) != 0 {
			t.Errorf("%q: %v", args, err)
		}
		for _, name := range commands.Names() {
			if strings.Count(out.String(), "\n  "+name+" ") != 1 {
				t.Errorf("%q has no line for %s: %s", args, name, out.String())
			}
		}
	}
	for _, name := range commands.Names() {
		for _, args := range [][]string{{name, "--help"}, {"help", name}, {name, "-h"}} {
			var out bytes.Buffer
			_, err := commands.Parse(args, &out)
			if !errors.Is(err, flag.ErrHelp) || !strings.HasPrefix(out.String(), "Usage: tokentube "+name) || !strings.Contains(out.String(), "Exit status: 0") {
				t.Errorf("%q: %v, %s", args, err, out.String())
			}
		}
	}
}

func TestNoCommandServes(t *testing.T) {
	command, err := commands.Parse(nil, io.Discard)
	if command != nil || err != nil {
		t.Errorf("got a command, %v", err)
	}
}

func TestReport(t *testing.T) {
	var out bytes.Buffer
	if got := commands.Report(nil, &out); got != 0 || out.Len() > 0 {
		t.Errorf("nothing wrong: %d, %q", got, out.String())
	}
	if got := commands.Report(context.Canceled, &out); got != 1 || !strings.Contains(out.String(), "stopped before it was done") {
		t.Errorf("Ctrl-C: %d, %q", got, out.String())
	}
	out.Reset()
	if got := commands.Report(commands.Misconfigured(errors.New("PORT is too big")), &out); got != 78 || !strings.Contains(out.String(), "PORT is too big") {
		t.Errorf("a configuration with a fault: %d, %q", got, out.String())
	}
}
