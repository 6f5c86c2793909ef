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
	name: "admin", args: "list | add USER | remove USER",
	brief: "list, add or remove administrators",
	help: `USER is a username or an email address. Administrators may download a backup
of the site (GET /api/v1/admin/backup). The change holds from the user's next
request on; nobody has to log in again.

With the embedded database the site must be stopped; with MONGODB_URI it may run.`,
	parse: func(flags *flag.FlagSet, args []string) (Run, error) {
		if len(args) > 0 && args[0] == "list" {
			_, err := positional(flags, args[1:])
			return listAdmins, err
		}
		found, err := positional(flags, args, "what to do (list, add or remove)", "USER")
		if err != nil {
			return nil, err
		}
		switch found[0] {
		case "add", "remove":
			return setAdmin(found[1], found[0] == "add"), nil
		}
		return nil, fmt.Errorf("there is no %q: it is list, add or remove", found[0])
	},
}

func listAdmins(ctx context.Context, s Site) error {
	return s.reading(ctx, func(data *Data) error {
		admins, err := data.Users.WithRole(ctx, models.Admin)
		if err != nil {
			return err
		}
		for _, u := range admins {
			s.say("%s <%s>", u.Username, u.Email)
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
			u, err := data.Users.ByLogin(ctx, name)
			if apperr.Is(err, apperr.NotFound) {
				return fmt.Errorf("there is no user %q", name)
			} else if err != nil {
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
