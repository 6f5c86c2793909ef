// Package commands holds what the program does besides serving: one file per command. It also opens and closes the data
// that the commands and the site work with.
package commands

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"tokentube/config"
	"tokentube/utils/logs"
)

// Site is what a command works on.
type Site struct {
	Config config.Config
	Faults error     // of the configuration: only for commands that Looks reports
	Out    io.Writer // the command's output
	Logs   io.Writer
}

// with opens the site as the server does, and closes it after do.
func (s Site) with(ctx context.Context, do func(*Data) error) error {
	data, err := Open(ctx, s.Config, s.Logs)
	if err != nil {
		return err
	}
	defer data.Close()
	if err := data.DB.Prepare(ctx); err != nil {
		return err
	}
	return do(data)
}

// reading opens the site for do, which must not change anything. The embedded database may be in a read-only place.
func (s Site) reading(ctx context.Context, do func(*Data) error) error {
	if err := unfinishedRestore(s.Config.DataDir); err != nil {
		return err
	}
	if s.Config.MongoURI == "" && !exists(s.Config.DatabaseFile()) {
		return noSite(s.Config)
	}
	data, err := open(ctx, s.Config, logs.New(s.Logs, s.Config.LogFormat, s.Config.LogLevel), time.Now, true)
	if err != nil {
		return err
	}
	defer data.Close()
	return do(data)
}

// say prints a line.
func (s Site) say(format string, args ...any) { _, _ = fmt.Fprintf(s.Out, format+"\n", args...) }

// Run is a parsed command.
type Run func(context.Context, Site) error

// command describes a command and parses its arguments.
type command struct {
	name, args string
	brief      string // one line
	help       string // what it does and needs, if brief doesn't say it all
	parse      func(flags *flag.FlagSet, args []string) (Run, error)
}

var all = []command{seedCommand, adminCommand, backupCommand, restoreCommand, repairCommand, compactCommand, migrateCommand, healthCommand, doctorCommand}

// Looks reports whether the command also accepts a faulty configuration and changes nothing: it doesn't even generate
// missing secrets.
func Looks(args []string) bool { return len(args) > 0 && args[0] == "doctor" }

// usageError is a fault in the arguments: nothing was done.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return usageError{fmt.Sprintf(format, args...)} }

// configError is a faulty configuration.
type configError struct{ faults error }

func (e configError) Error() string { return "the configuration cannot be used:\n" + e.faults.Error() }

func (e configError) Unwrap() error { return e.faults }

// Misconfigured returns the faults of a configuration as one error.
func Misconfigured(faults error) error { return configError{faults} }

// Parse parses the program's arguments, before anything is opened. Without arguments, the site is to be served: the Run
// is nil. If help is requested, Parse prints it and returns flag.ErrHelp.
func Parse(args []string, out io.Writer) (Run, error) {
	if len(args) == 0 {
		return nil, nil
	}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		if len(args) == 1 {
			return nil, printAll(out)
		}
		args = append(args[1:], "--help")
	}
	i := slices.IndexFunc(all, func(c command) bool { return c.name == args[0] })
	if i < 0 {
		return nil, usage("unknown command %q. The commands are: %s.\nRun \"help\" to see what they do.", args[0], names())
	}
	return all[i].understand(args[1:], out)
}

func (c command) understand(args []string, out io.Writer) (Run, error) {
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	if slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "-help" || a == "--help" }) {
		return nil, c.print(out)
	}
	run, err := c.parse(flags, args)
	if err != nil {
		return nil, usage("%s: %s.\nUsage: %s\nRun \"help %s\" for details.", c.name, err, c.line(), c.name)
	}
	return run, nil
}

// positional parses the flags, which may stand anywhere, and returns the positional arguments. There must be as many as
// names.
func positional(flags *flag.FlagSet, args []string, names ...string) ([]string, error) {
	var found []string
	for {
		if err := flags.Parse(args); err != nil {
			return nil, err
		}
		if args = flags.Args(); len(args) == 0 {
			break
		}
		found, args = append(found, args[0]), args[1:]
	}
	switch {
	case len(found) < len(names):
		return nil, fmt.Errorf("%s is missing", names[len(found)])
	case len(found) > len(names):
		return nil, fmt.Errorf("%q is too much", found[len(names)])
	}
	if i := slices.Index(found, ""); i >= 0 {
		return nil, fmt.Errorf("%s is empty", names[i])
	}
	return found, nil
}

func names() string {
	var list []string
	for _, c := range all {
		list = append(list, c.name)
	}
	return strings.Join(list, ", ")
}

func (c command) line() string { return strings.TrimSpace("tokentube " + c.name + " " + c.args) }

func (c command) print(out io.Writer) error {
	_, err := fmt.Fprintf(out, "Usage: %s\n\n%s\n\n%s\n\n%s\n", c.line(), c.brief, strings.TrimSpace(c.help), exitCodes)
	return errors.Join(flag.ErrHelp, err)
}

const exitCodes = `Exit status: 0 if it is done, 1 if it failed, 2 if the arguments were wrong, 78 if the
configuration has a fault; in the last two cases, nothing was tried.`

func printAll(out io.Writer) error {
	text := "Usage: tokentube [COMMAND]        (from the source: go run . [COMMAND])\n\n" +
		"Without a command, the program serves the site. Commands work on the site that the\n" +
		"environment and .env describe (DATA_DIR, MONGODB_URI, MEDIA_URL):\n\n"
	for _, c := range all {
		text += fmt.Sprintf("  %-8s %s\n", c.name, c.brief)
	}
	_, err := fmt.Fprintf(out, "%s\nRun \"tokentube help COMMAND\" for details.\n", text)
	return errors.Join(flag.ErrHelp, err)
}

// exitConfig is EX_CONFIG of sysexits.h. It tells systemd that restarting the program won't help.
const exitConfig = 78

// Report prints the error, if there is one, and returns the exit status.
func Report(err error, out io.Writer) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, new(usageError)):
		_, _ = fmt.Fprintln(out, err)
		return 2
	case errors.As(err, new(configError)):
		_, _ = fmt.Fprintln(out, err)
		return exitConfig
	case errors.Is(err, context.Canceled):
		err = fmt.Errorf("stopped before it was done: %w", err)
	}
	_, _ = fmt.Fprintln(out, err)
	return 1
}
