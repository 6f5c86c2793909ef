package commands

import (
	"context"
	"flag"
	"fmt"
	"slices"

	"tokentube/models"
	"tokentube/utils/apperr"
)

var adminCommand = command{
	name: "admin", args: "list | add USER | remove USER | disable USER | enable USER | one-step USER",
	brief: "list, add or remove administrators; disable or enable an account; help somebody in",
	help: `USER is a username or an email address. Administrators handle reports
(/admin/reports) and can download a backup of the site (GET /api/v1/admin/backup).
The change takes effect with the user's next request; nobody has to log in again.

disable ends the account's logins and hides its channel, posts and comments;
enable brings them back. The last administrator can't be disabled.

one-step removes every second step from the login of somebody who lost their
phone and their recovery codes. Their password stays.

With the embedded database, stop the site first; with MONGODB_URI, it may be running.`,
	parse: func(flags *flag.FlagSet, args []string) (Run, error) {
		if len(args) > 0 && args[0] == "list" {
			_, err := positional(flags, args[1:])
			return listAdmins, err
		}
		found, err := positional(flags, args, "what to do (list, add, remove, disable, enable or one-step)", "USER")
		if err != nil {
			return nil, err
		}
		switch found[0] {
		case "add", "remove":
			return setAdmin(found[1], found[0] == "add"), nil
		case "disable", "enable":
			return setDisabled(found[1], found[0] == "disable"), nil
		case "one-step":
			return removeFactors(found[1]), nil
		}
		return nil, fmt.Errorf("there is no %q: it is list, add, remove, disable or enable, or one-step", found[0])
	},
}

func listAdmins(ctx context.Context, s Site) error {
	return s.reading(ctx, func(data *Data) error {
		admins, err := data.Users.WithRole(ctx, models.Admin)
		if err != nil {
			return err
		}
		for _, u := range admins {
			s.say("%s <%s>", u.Username, u.Address())
		}
		if len(admins) == 0 {
			s.say("There are no administrators.")
		}
		return nil
	})
}

func setAdmin(name string, wanted bool) Run {
	return func(ctx context.Context, s Site) error {
		return s.with(ctx, func(data *Data) error {
			u, err := userNamed(ctx, data, name)
			if err != nil {
				return err
			}
			if u.HasRole(models.Admin) == wanted {
				s.say("%s %s", u.Username, map[bool]string{true: "is already an administrator.", false: "is not an administrator."}[wanted])
				return nil
			}
			roles := slices.DeleteFunc(slices.Clone(u.Roles), func(r string) bool { return r == models.Admin })
			if wanted {
				roles = append(roles, models.Admin)
			}
			if _, err := data.Users.SetRoles(ctx, u.ID, roles); err != nil {
				return err
			}
			s.say("%s %s", u.Username, map[bool]string{true: "is an administrator now.", false: "is no longer an administrator."}[wanted])
			return nil
		})
	}
}

func setDisabled(name string, wanted bool) Run {
	return func(ctx context.Context, s Site) error {
		return s.with(ctx, func(data *Data) error {
			u, err := userNamed(ctx, data, name)
			if err != nil {
				return err
			}
			if (u.DisabledAt != nil) == wanted {
				s.say("%s %s", u.Username, map[bool]string{true: "is disabled already.", false: "is not disabled."}[wanted])
				return nil
			}
			change := data.Moderation.Enable
			if wanted {
				change = data.Moderation.Disable
			}
			if err := change(ctx, models.Moderator{}, u.ID); err != nil {
				return err
			}
			if err := data.Moderation.Settle(ctx, u.ID); err != nil {
				return err
			}
			s.say("%s %s", u.Username, map[bool]string{true: "is disabled now.", false: "is enabled now."}[wanted])
			return nil
		})
	}
}

func removeFactors(name string) Run {
	return func(ctx context.Context, s Site) error {
		return s.with(ctx, func(data *Data) error {
			u, err := userNamed(ctx, data, name)
			if err != nil {
				return err
			}
			_, removed, err := data.Moderation.RemoveFactors(ctx, models.Moderator{}, u.ID)
			if err != nil {
				return err
			}
			s.say("%s %s", u.Username, map[bool]string{true: "logs in with the password alone now.", false: "has no second step."}[removed])
			return nil
		})
	}
}

func userNamed(ctx context.Context, data *Data, name string) (*models.User, error) {
	u, err := data.Users.ByLogin(ctx, name)
	if apperr.Is(err, apperr.NotFound) {
		return nil, fmt.Errorf("there is no user %q", name)
	}
	return u, err
}
