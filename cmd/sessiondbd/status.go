package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"sessiondbd/internal/daemon"
	"sessiondbd/internal/firewall"
	"sessiondbd/internal/operate"
	"sessiondbd/internal/plan"
	"sessiondbd/internal/server"
)

// status prints what the daemons' state files say.
func (a *app) status() error {
	var all []daemon.Seen
	var errs []error
	for _, part := range a.parts() {
		// A state that cannot be read is a daemon that nothing is known of; the other one is shown all the same.
		seen, err := daemon.See(part, runDir(part)+"/status.json")
		if err == nil || !slices.ContainsFunc(errs, func(e error) bool { return e != nil && e.Error() == err.Error() }) {
			errs = append(errs, err)
		}
		if err == nil {
			all = append(all, seen)
		}
	}
	backups := a.backups()
	result := daemon.StatusCode(all)
	if result == exitOK && backups.Trouble() {
		result = exitFailure
	}
	told := told(result)
	if err := errors.Join(errs...); err != nil {
		fmt.Fprintln(a.stderr, "sessiondbd: "+err.Error())
		told = code(exitFailure) // not "not running": that is not known
	}
	if len(all) == 0 {
		return told
	}
	if a.json {
		var known any // a nil pointer in it would not be nil
		if backups != nil {
			known = backups
		}
		return errors.Join(daemon.PrintStatusJSON(a.stdout, all, result, known), told)
	}
	err := daemon.PrintStatus(a.stdout, all, time.Now(), colourful(a.stdout))
	if text := backups.String(); text != "" && err == nil {
		_, err = fmt.Fprintln(a.stdout, "backup    "+text)
	}
	return errors.Join(err, told)
}

// backups is what is known of them, nil for nothing: where none was made, or where it is not ours to read.
func (a *app) backups() *operate.BackupState {
	if !a.has(database) {
		return nil
	}
	return operate.ReadBackupState(backupState())
}

// told is the exit code of an outcome that is on the screen already.
func told(c int) error {
	if c == exitOK {
		return nil
	}
	return code(c)
}

// describe counts networks that have their rules.
func (h *firewallHost) describe() string {
	return fmt.Sprintf("%d/%d networks", firewall.Admitted(h.spec, h.last), len(h.spec.Networks))
}

// describe says what the last look saw: schema version, roles that can log in, networks that pg_hba.conf lets in.
func (h *databaseHost) describe() string {
	ready := 0
	for _, r := range h.goals.role.Roles {
		if h.last.role.CanLogIn(r.Name) {
			ready++
		}
	}
	return fmt.Sprintf("schema %04d, %d/%d roles, %d/%d networks", h.last.schema.Version(), ready, len(h.goals.role.Roles), server.Admitted(h.goals.server, h.last.server), h.goals.server.NetworkCount())
}

// facts are what describe says, for the state file and the metrics.
func (h *databaseHost) facts(r plan.Report) map[string]int {
	initial := 0
	for _, w := range r.Warnings {
		if w.Initial {
			initial++
		}
	}
	facts := map[string]int{
		"schema_version": h.last.schema.Version(), "initial_passwords": initial,
		"networks": h.goals.server.NetworkCount(), "networks_admitted": server.Admitted(h.goals.server, h.last.server),
	}
	maps.Copy(facts, operate.ReadBackupState(backupState()).Facts())
	return facts
}

// facts are what describe says, for the state file and the metrics.
func (h *firewallHost) facts(plan.Report) map[string]int {
	return map[string]int{"networks": len(h.spec.Networks), "networks_admitted": firewall.Admitted(h.spec, h.last)}
}

// serving says whether the VMs are served although something is left to do.
func (h *databaseHost) serving() bool {
	return h.last.schema.Version() > 0 && server.Serves(h.goals.server, h.last.server)
}
