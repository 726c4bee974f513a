package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"sessiondbd/internal/config"
	"sessiondbd/internal/firewall"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/postgres"
	"sessiondbd/internal/schema"
	"sessiondbd/internal/server"
)

// setup is what every command that looks at the host starts from.
type setup struct {
	cfg     *config.Config
	secrets secrets
	// noUser is why the database part cannot run as the user that it needs; the firewall part can go on.
	noUser error
	// unread says that there are passwords that we may not read, and leave alone.
	unread bool
	// handed says that root has read the secrets for us: we cannot read them again.
	handed bool
	// faults are only there for who goes on in spite of them.
	faults setupFaults
}

// setup reads config and secrets, and, when root runs a command that needs the database, goes on as the database's user.
func (a *app) setup(parts []string, opt options) (setup, error) {
	if h, ok, err := takeHandover(); err != nil || ok {
		if err != nil {
			return setup{}, err
		}
		cfg, err := h.config()
		return setup{cfg: cfg, secrets: h.secrets(), handed: true}, err
	}
	cfg, err := a.loadConfig()
	if err != nil {
		return setup{}, err
	}
	s := setup{cfg: cfg}
	if !a.has(database) {
		return s, nil
	}
	if !opt.blind {
		s.secrets, err = readSecrets(cfg)
		if s.unread = opt.spare && errors.Is(err, fs.ErrPermission); err != nil && !s.unread {
			return setup{}, err
		}
	}
	s.noUser, err = switchUser(s, a.has(fire), opt)
	return s, err
}

// host makes the host of one part; done releases it.
func (s setup) host(part string, opt options) (h plan.Host, done func(), err error) {
	if part == fire {
		h := &firewallHost{spec: firewallSpec(s.cfg), absent: opt.remove}
		if h.absent && h.spec.Backend == firewall.Off {
			h.spec.Backend = firewall.Auto // rules from before it was switched off are taken away too
		}
		return h, func() {}, nil
	}
	if s.noUser != nil {
		return unobservable{schema.Goal{Database: s.cfg.Database.Name}.DatabaseResource(), s.noUser}, func() {}, nil
	}
	if !opt.look {
		if h, is := leftAlone(schema.Goal{Database: s.cfg.Database.Name}.DatabaseResource()); is {
			return h, func() {}, nil
		}
	}
	d, err := s.database(opt)
	if err != nil {
		return nil, nil, err
	}
	return d, d.observer.Close, nil
}

func (s setup) database(opt options) (*databaseHost, error) {
	opt.unread = s.unread
	g, err := databaseGoals(s.cfg, s.secrets, opt)
	if err != nil {
		return nil, err
	}
	t, err := databaseTarget(s.cfg)
	if err != nil {
		return nil, err
	}
	observer := postgres.NewObserver(t)
	observer.Standing = true
	return &databaseHost{
		goals: g, target: t, observer: observer,
		memory: schema.Memory{Path: stateDir() + "/identity.json"},
		files:  server.Files{Connect: t.ConnectMaintenance, Flag: restartFlag()},
	}, nil
}

// unobservable is a host that cannot be looked at, with the reason.
type unobservable struct {
	resource string
	err      error
}

func (u unobservable) Plan(context.Context) plan.Plan {
	return plan.Plan{Unobserved: []plan.Failure{{Resource: u.resource, Err: u.err}}}
}

func (u unobservable) Begin(context.Context) (plan.Executor, func(), error) { return nil, nil, u.err }

func configPathError(cfg *config.Config, key string, err error) error {
	path := cfg.Path
	if path == "" {
		path = "the defaults"
	}
	return fmt.Errorf("%s: %s: %w", path, key, err)
}

// databaseTarget reads the connection string, which the config's own room takes for any text.
func databaseTarget(cfg *config.Config) (postgres.Target, error) {
	t, err := postgres.NewTarget(cfg.Database.URL.Reveal(), cfg.Database.Name)
	if err != nil {
		return t, configError{configPathError(cfg, "database.url", err)}
	}
	return t, nil
}
