package main

import (
	"context"
	"errors"

	"sessiondbd/internal/operate"
)

// sessions prints what the session database holds and who works in it.
func (a *app) sessions(ctx context.Context) error {
	if a.only == fire {
		return usageError{errors.New("--sessions is about the database, not the firewall")}
	}
	a.only = database
	s, err := a.setup(a.parts(), options{look: true, blind: true})
	if err != nil {
		return err
	}
	if s.noUser != nil {
		return s.noUser
	}
	t, err := databaseTarget(s.cfg)
	if err != nil {
		return err
	}
	c, err := t.ConnectSession(ctx)
	if err != nil {
		return err
	}
	defer c.CloseSoon()
	seen, lookErr := operate.LookAtSessions(ctx, c, firewallSpec(s.cfg))
	if seen.Connections == nil { // not even that
		return lookErr
	}
	if a.json {
		err = seen.JSON(a.stdout)
	} else {
		err = seen.Text(a.stdout)
	}
	return errors.Join(lookErr, err)
}
