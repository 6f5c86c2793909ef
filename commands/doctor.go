package commands

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"strings"
	"time"

	"tokentube/config"
	"tokentube/utils/logs"
)

var doctorCommand = command{
	name: "doctor", args: "[--json]",
	brief: "say what is wrong with the configuration or the data, and how to mend it",
	help: `It looks at the configuration, the secrets and who can read them, the data folder,
the free space, the ports, the database and its indexes, the clock, the bucket, the
certificate and the mail server, and prints a line for each of them:

  ok     all is well
  note   works, but is not as it should be in production
  fault  does not work, or is not safe: the line says what to do

Nothing is changed: no file is written, no mail is sent, and missing secrets are not
made. It may run beside the site, but then the embedded database cannot be opened, and
what is in it is not looked at. Whether the bucket can be written to is not tried.

The exit status is 1 if there is a fault. --json prints a list of objects with level,
about, what and do.`,
	parse: func(flags *flag.FlagSet, args []string) (Run, error) {
		asJSON := flags.Bool("json", false, "")
		_, err := positional(flags, args)
		return func(ctx context.Context, s Site) error { return doctor(ctx, s, *asJSON) }, err
	},
}

// finding is a finding of the doctor, on one line.
type finding struct {
	Level string `json:"level"` // ok, note or fault
	About string `json:"about"` // a setting, or something else
	What  string `json:"what"`
	Do    string `json:"do,omitempty"`
}

const (
	fine  = "ok"
	note  = "note"
	fault = "fault"
)

// patient is the site under examination.
type patient struct {
	config.Config
	findings []finding
}

func (p *patient) say(level, about, do, format string, args ...any) {
	what := fmt.Sprintf(format, args...)
	p.findings = append(p.findings, finding{level, about, oneLine(logs.Hide(what)), oneLine(do)})
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func (p *patient) ok(about, format string, args ...any) { p.say(fine, about, "", format, args...) }

// outside is how long external services may take to respond.
const outside = 15 * time.Second

func doctor(ctx context.Context, s Site, asJSON bool) error {
	p := &patient{Config: s.Config}
	p.configuration(s.Faults)
	p.network()
	p.secrets()
	p.folder()
	p.space()
	p.ports(ctx)
	for _, look := range []func(context.Context){p.database, p.bucket, p.mail} {
		ctx, cancel := context.WithTimeout(ctx, outside)
		look(ctx)
		cancel()
	}
	return p.report(s, asJSON)
}

func (p *patient) report(s Site, asJSON bool) error {
	counts := map[string]int{}
	for _, f := range p.findings {
		counts[f.Level]++
	}
	if asJSON {
		encoder := json.NewEncoder(s.Out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(p.findings); err != nil {
			return err
		}
	} else {
		for _, f := range p.findings {
			s.say("%s", strings.TrimSpace(fmt.Sprintf("%-5s  %s: %s %s", f.Level, f.About, f.What, f.Do)))
		}
	}
	if counts[fault] > 0 {
		return fmt.Errorf("the doctor found %s and %s", many(counts[fault], "fault"), many(counts[note], "note"))
	}
	return nil
}

func many(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// configuration reports each fault that keeps the site from starting.
func (p *patient) configuration(faults error) {
	if faults == nil {
		p.ok("configuration", "every setting can be read.")
		return
	}
	list := []error{faults}
	if joined, is := faults.(interface{ Unwrap() []error }); is {
		list = joined.Unwrap()
	}
	for _, err := range list {
		name, what, _ := strings.Cut(err.Error(), " ")
		p.say(fault, name, "The site does not start until this is changed.", "%s.", strings.TrimRight(oneLine(what), "."))
	}
}

// explained is the first line of an error: further lines are advice for another situation.
func explained(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
