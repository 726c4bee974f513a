package main

import (
	"errors"

	"sessiondbd/internal/config"
)

// setupFaults are why config or passwords cannot be used; nil: they can.
type setupFaults struct{ config, secrets error }

// text is what a child is told of them.
func (f setupFaults) text() faults {
	var t faults
	if f.config != nil {
		t.Config = f.config.Error()
	}
	if f.secrets != nil {
		t.Secrets = f.secrets.Error()
	}
	return t
}

func (f faults) errors() setupFaults {
	var e setupFaults
	if f.Config != "" {
		e.config = errors.New(f.Config)
	}
	if f.Secrets != "" {
		e.secrets = errors.New(f.Secrets)
	}
	return e
}

// patient is setup for a command that is there for hosts on which something is wrong: a bad config, or a password that cannot
// be read, is a finding and no end. With a bad config the defaults say where PostgreSQL is looked for.
func (a *app) patient() (setup, error) {
	if h, ok, err := takeHandover(); err != nil || ok {
		if err != nil {
			return setup{}, err
		}
		cfg, err := h.config()
		return setup{cfg: cfg, secrets: h.secrets(), handed: true, faults: h.Faults.errors()}, err
	}
	var s setup
	s.cfg, s.faults.config = a.loadConfig()
	if s.faults.config != nil {
		s.cfg = config.Default()
	} else {
		s.secrets, s.faults.secrets = readSecrets(s.cfg)
	}
	var err error
	s.noUser, err = switchUser(s, a.has(fire), options{look: true})
	return s, err
}
