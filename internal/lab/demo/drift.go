package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// flushed flushes all rules and prints how many milliseconds later all of ours are back.
const flushed = `
now() { date +%s%3N; }
begin=$(now)
nft flush ruleset
until iptables -S INPUT 2>/dev/null | grep -q -- '-j SESSIONDB-ALLOW$' &&
	iptables -t mangle -S SESSIONDB-GUARD >/dev/null 2>&1 && ip6tables -t mangle -S SESSIONDB-GUARD >/dev/null 2>&1
do
	[ $(($(now) - begin)) -lt 15000 ] || { echo 'not repaired within 15 s' >&2; exit 1; }
done
echo $(($(now) - begin))`

func (d *demo) flush(ctx context.Context) error {
	d.screen.line("nft flush ruleset")
	took, err := d.on(ctx, flushed)
	if err != nil {
		return err
	}
	d.screen.good("every rule was back %s ms later: the daemon hears of changes from the kernel", took)
	if err := d.shut(ctx); err != nil {
		return err
	}
	if _, err := d.ask(ctx, d.hv.VM(3), documented, "SELECT 1"); err != nil {
		return fmt.Errorf("VM 3 is shut out: %w", err)
	}
	d.screen.good("the outside is shut out again, and VM 3 is served")
	d.remember("flushed firewall rules were back after %s ms, by the daemon", took)
	return nil
}

const damage = `DROP INDEX idx_session_parent;
ALTER TABLE session ALTER created_at DROP NOT NULL;
REVOKE INSERT ON session FROM sessionuser;`

// damage breaks what the VMs need, then has it repaired.
func (d *demo) damage(ctx context.Context) error {
	const insert = "INSERT INTO session (inbox_status) VALUES ('pending')"
	d.screen.line("as the administrator:")
	d.screen.block(damage)
	if _, err := d.hv.PSQL(ctx, "sessiondb", damage); err != nil {
		return err
	}
	if _, err := d.ask(ctx, d.hv.VM(4), documented, insert); err != nil {
		d.screen.line("VM 4: %v", err)
	}
	r, took, err := d.report(ctx, "apply")
	if err != nil {
		return err
	}
	d.screen.line("the daemon looks every 10 s; sessiondbd apply does not wait for that: %d changes%s", len(r.Changes), outline(r.Changes))
	if _, err := d.ask(ctx, d.hv.VM(4), documented, insert); err != nil {
		return fmt.Errorf("VM 4 still cannot write: %w", err)
	}
	d.screen.good("repaired in %s, no row touched; VM 4 writes again", ms(took))
	d.remember("a dropped index, a lost NOT NULL and a revoked privilege were repaired in %s, by `sessiondbd apply`", ms(took))
	return nil
}

// again proves that a converged host is only looked at. The next transaction id tells of any write in the whole cluster,
// autovacuum's included, hence the attempts.
func (d *demo) again(ctx context.Context) error {
	const next = "SELECT pg_snapshot_xmax(pg_current_snapshot())"
	for range 3 {
		before, err := d.hv.PSQL(ctx, "sessiondb", next)
		if err != nil {
			return err
		}
		r, took, err := d.report(ctx, "apply")
		if err != nil {
			return err
		}
		after, err := d.hv.PSQL(ctx, "sessiondb", next)
		if err != nil {
			return err
		}
		if !r.InSync || len(r.Changes) > 0 {
			return fmt.Errorf("it changes%s", outline(r.Changes))
		}
		if before == after {
			d.screen.good("in sync, 0 changes, in %s; the server's next transaction id was %s before and is %s after", ms(took), before, after)
			d.remember("a second apply changes and writes nothing, and takes %s", ms(took))
			return nil
		}
		time.Sleep(200 * time.Millisecond)
	}
	return errors.New("an apply with nothing to do takes a transaction id")
}

func (d *demo) status(ctx context.Context) error {
	out, err := d.hv.Run(ctx, "sessiondbd", "status")
	if err != nil {
		return err
	}
	d.screen.line("sessiondbd status")
	d.screen.block(out)
	if !strings.Contains(out, "documented initial password") {
		return errors.New("status does not warn about the documented password")
	}
	d.screen.line("the warning stays until the documented password is replaced, with the command that it names")
	return nil
}
