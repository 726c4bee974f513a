package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sessiondbd/internal/config"
	"sessiondbd/internal/operate"
	"sessiondbd/internal/postgres"
	"sessiondbd/internal/role"
)

// connectOptions are the flags of connect-info.
type connectOptions struct {
	format, role string
	show         bool
}

func (a *app) connectCommand() *cobra.Command {
	var opt connectOptions
	c := &cobra.Command{
		Use: "connect-info VM", Short: "what to put into a VM to connect", Args: cobra.ExactArgs(1),
		Long: "Prints how a program in the VM of that name connects: a psql command, a URL, the environment of libpq (for a shell or systemd's EnvironmentFile), or a small program for psycopg2, node's pg or Go's pgx. Notes go to standard error.\n\n" +
			"The password is shown with --show-password only, and only where it is known: from the credential or file of the config, or the config's initial one while PostgreSQL still has that. A verifier gives no password away; " + operate.Placeholder + " then stands for it.",
		RunE: func(cmd *cobra.Command, args []string) error { return a.connectInfo(cmd.Context(), args[0], opt) },
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			cfg, err := a.loadConfig()
			if err != nil || len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, n := range cfg.Networks {
				names = append(names, n.Name)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	c.Flags().StringVar(&opt.format, "format", operate.Formats[0], strings.Join(operate.Formats, ", "))
	c.Flags().StringVar(&opt.role, "role", "", "the `role` to connect as; absent: the first of the config that may come from that VM")
	c.Flags().BoolVar(&opt.show, "show-password", false, "print the password, too, where it is known")
	return c
}

func (a *app) connectInfo(ctx context.Context, vm string, opt connectOptions) error {
	if !slices.Contains(operate.Formats, opt.format) {
		return usageError{fmt.Errorf("--format %s: must be one of %s", opt.format, strings.Join(operate.Formats, ", "))}
	}
	a.only = database
	// Who does not want to see the password need not be able to read it.
	s, err := a.setup(a.parts(), options{look: true, blind: !opt.show && os.Geteuid() != 0})
	if err != nil {
		return err
	}
	if err := s.network(vm); err != nil {
		return err
	}
	network := s.cfg.Networks[slices.IndexFunc(s.cfg.Networks, func(n config.Network) bool { return n.Name == vm })]
	r, err := roleFrom(s.cfg, vm, opt.role)
	if err != nil {
		return err
	}
	c := operate.Client{Host: network.Gateway, Port: s.cfg.Firewall.Port, Database: s.cfg.Database.Name, User: r.Name}
	note := func(format string, args ...any) { fmt.Fprintf(a.stderr, "sessiondbd: "+format+"\n", args...) }
	seen, lookErr := s.glance(ctx)
	if lookErr == nil && seen.last.server.OffersTLS() {
		c.TLS = true
		note("the server offers TLS: psql, psycopg2 and pgx use it unasked; sslmode=require (PGSSLMODE=require) insists on it, and with the server's CA in the VM sslmode=verify-full checks whom they talk to")
	}
	password, why := s.knownPassword(r, seen, lookErr)
	stands := operate.Placeholder + " stands for the password"
	if opt.format == "psql" {
		stands = "psql asks for the password"
	}
	switch {
	case password == "" && opt.show:
		note("%s, which is not known: %s", stands, why)
	case password == "":
		note("%s", stands)
	case !opt.show:
		note("%s: %s; --show-password prints it", stands, why)
	default:
		c.Password = string(password)
		if lookErr == nil && !seen.goals.role.Holds(seen.last.role, r.Name, password) {
			note("PostgreSQL has another password than this one (%s) until: sudo sessiondbd apply --only database", why)
		}
	}
	_, err = fmt.Fprint(a.stdout, c.Snippet(opt.format))
	return err
}

// roleFrom is the role that is asked for, or the first one, that may come from a VM.
func roleFrom(cfg *config.Config, vm, name string) (config.Role, error) {
	declared := name == ""
	for _, r := range cfg.Roles {
		declared = declared || r.Name == name
		from := slices.ContainsFunc(cfg.RoleNetworks(r), func(n config.Network) bool { return n.Name == vm })
		if (name == "" || r.Name == name) && from && r.Access != config.NoAccess {
			return r, nil
		}
	}
	switch {
	case !declared:
		return config.Role{}, usageError{fmt.Errorf("--role %s: the config has no such role", name)}
	case name == "":
		return config.Role{}, postgres.NewError(postgres.Refused, fmt.Sprintf("no role of the config may come from %s: see roles[].networks and roles[].access", vm))
	}
	return config.Role{}, postgres.NewError(postgres.Refused, fmt.Sprintf("%s may not come from %s: see roles[].networks and roles[].access in the config", name, vm))
}

// glance looks at the database once. What it does not see is said by the error.
func (s setup) glance(ctx context.Context) (*databaseHost, error) {
	if s.noUser != nil {
		return nil, s.noUser
	}
	d, err := s.database(options{look: true})
	if err != nil {
		return nil, err
	}
	defer d.observer.Close()
	d.last, err = d.look(ctx)
	return d, err
}

// knownPassword is a role's, with where it comes from, or empty, with the reason. The initial one is known as long as
// PostgreSQL has it: somebody may have set another.
func (s setup) knownPassword(r config.Role, seen *databaseHost, lookErr error) (password role.Secret, why string) {
	from := source(r.Password)
	switch initial := role.Secret(r.Password.Initial.Reveal()); {
	case s.secrets[r.Name] != "":
		return s.secrets[r.Name], "it is that of " + from
	case lookErr != nil && initial != "":
		return "", "PostgreSQL cannot be asked whether the initial one of the config is in force: " + lookErr.Error()
	case lookErr == nil && seen.goals.role.Holds(seen.last.role, r.Name, initial):
		return initial, "it is the initial one of the config, which should be replaced"
	case !r.Password.Managed():
		return "", "the config leaves it to somebody else"
	case errors.Is(lookErr, context.Canceled):
		return "", lookErr.Error()
	}
	if _, exists := seen.last.role.Find(r.Name); lookErr == nil && !exists {
		return "", "the role is not there yet: sudo sessiondbd apply"
	}
	if s.handed || os.Geteuid() == 0 {
		return "", "somebody has set one that the config does not know"
	}
	return "", "somebody has set one that the config does not know; as root also credentials can be read"
}

// network says whether the config has a network of that name.
func (s setup) network(name string) error {
	var names []string
	for _, n := range s.cfg.Networks {
		if n.Name == name {
			return nil
		}
		names = append(names, n.Name)
	}
	return usageError{fmt.Errorf("the config has no network %q; it has %s", name, strings.Join(names, ", "))}
}
