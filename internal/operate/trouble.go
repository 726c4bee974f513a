package operate

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// few is how many of a kind are told one by one.
const few = 5

// activity tells of what has been running, or open, for long.
func (c *Case) activity(d *Diagnosis) {
	if c.down() || c.Sessions == nil {
		return
	}
	clients := slices.DeleteFunc(slices.Clone(c.Sessions), Session.own)
	late := slow(clients)
	open := slices.DeleteFunc(old(clients), func(s Session) bool { // told as a query
		return slices.ContainsFunc(late, func(l Session) bool { return l.PID == s.PID })
	})
	d.look(AreaActivity, fmt.Sprintf("%s; over %s: %s; over %s: %s",
		counted(len(clients), "session"), brief(SlowQuery), counted(len(late), "slow query"), brief(OldTransaction), counted(len(open), "open transaction")))
	for _, s := range open[:min(few, len(open))] {
		d.find(AreaActivity, Risk, fmt.Sprintf("process %d (%s from %s) has had a transaction open for %s, state %s: %s",
			s.PID, s.Role, Place(c.Spec, s.Address), brief(time.Duration(s.Transaction)*time.Millisecond), s.State, shorten(s.Query, 80)),
			"its locks keep others waiting, and VACUUM cannot clean up behind it",
			fmt.Sprintf("sudo -u postgres psql -c 'SELECT pg_terminate_backend(%d)'", s.PID))
	}
	for _, s := range late[:min(few, len(late))] {
		waits := ""
		if s.Waits != "" {
			waits = ", waiting for " + s.Waits
		}
		d.find(AreaActivity, Risk, fmt.Sprintf("process %d (%s from %s) has been running a query for %s%s: %s",
			s.PID, s.Role, Place(c.Spec, s.Address), brief(time.Duration(s.QueryAge)*time.Millisecond), waits, shorten(s.Query, 80)),
			"it holds a connection, and perhaps locks, that others wait for",
			fmt.Sprintf("sudo -u postgres psql -c 'SELECT pg_cancel_backend(%d)'", s.PID))
	}
}

func counted(n int, noun string) string {
	stem, y := strings.CutSuffix(noun, "y")
	switch {
	case n == 1:
		return "1 " + noun
	case y:
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// backupAge is the newest backup's at which somebody should ask why: two of the documentation's nights.
const backupAge = 48 * time.Hour

// testAge is the same for the last one that was restored for a test: two weeks, and a day for a host that catches up.
const testAge = 15 * 24 * time.Hour

// backups tells of one that failed, cannot be restored, or is missing. Who never made one has decided so.
func (c *Case) backups(d *Diagnosis) {
	c.restorer(d)
	b := c.Backup
	if b.String() == "" {
		return
	}
	const log = "journalctl -u sessiondbd-backup -u sessiondbd-backup-verify; "
	switch {
	case b.Failed != nil:
		d.find(AreaBackups, Risk, "the last backup failed: "+b.Failed.Error, "what happens in the sessions from now on is in no backup", log+"sudo sessiondbd backup")
	case c.Now.Sub(b.Good.At) > backupAge:
		d.find(AreaBackups, Risk, "the newest backup was made "+brief(c.Now.Sub(b.Good.At))+" ago", "what happened in the sessions since then is in none",
			"sudo sessiondbd backup; sudo systemctl enable --now sessiondbd-backup.timer")
	}
	switch {
	case b.untested():
		d.find(AreaBackups, Risk, "a backup could not be restored for a test: "+b.Unfit.Error, "those made since are not tested, and may be no better", log+"sudo sessiondbd backup --verify")
	case b.Unfit != nil:
		d.find(AreaBackups, Risk, "the newest backup could not be restored for a test: "+b.Unfit.Error, "after a loss it may not bring the sessions back", log+"sudo sessiondbd backup && sudo sessiondbd backup --verify")
	case b.Verified != nil && c.Now.Sub(b.Verified.At) > testAge:
		d.find(AreaBackups, Risk, "no backup was restored for a test for "+brief(c.Now.Sub(b.Verified.At)), "whether they can be is known only when one is needed",
			"sudo sessiondbd backup --verify; sudo systemctl enable --now sessiondbd-backup-verify.timer")
	}
	if !b.Trouble() {
		d.look(AreaBackups, b.String())
	}
}

// restorer tells where the role that executes a dump could not log in: nobody wants to learn that when a backup is needed.
func (c *Case) restorer(d *Diagnosis) {
	if !c.serverSeen() || !c.Server.Local.Here || len(c.Server.Rules) == 0 {
		return
	}
	place := "at the end of pg_hba.conf"
	for _, from := range []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback(), {}} {
		may, line := c.Server.MayLogIn(NewBeside(c.ServerWant.Database, c.Now).Fresh, Restorer, from)
		if may && (!from.IsValid() || c.Server.ListensOn(from)) {
			return
		}
		if line != "" && from.Is4() {
			place = "above " + line
		}
	}
	d.find(AreaBackups, Risk, Restorer+", the role that executes a dump, cannot log in from this host", "no backup can be restored, or tested",
		fmt.Sprintf("put %s: host  all  %s  127.0.0.1/32  scram-sha-256    # then sudo -u postgres psql -c 'SELECT pg_reload_conf()'", place, Restorer))
}
