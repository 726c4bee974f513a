package operate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sessiondbd/internal/postgres"
)

// arms are what has a role's rights for whoever uses it: functions that are SECURITY DEFINER, and, of the owner of the session database
// alone, views and rules. What a dump executes can make some, and they become the owner's with everything else; what is the same in the
// database in service its administrators have.
// Digests are of what they do. {views} is how a view is disarmed, by the server's version.
const armsSQL = `WITH own AS (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1),
	made AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e')
	SELECT p.oid::pg_catalog.regprocedure::text AS name, pg_catalog.pg_get_userbyid(p.proowner)::text AS owner, pg_catalog.md5(pg_catalog.pg_get_functiondef(p.oid)) AS digest,
		'ALTER ROUTINE ' || p.oid::pg_catalog.regprocedure || ' SECURITY INVOKER' AS disarm, 'ALTER ROUTINE ' || p.oid::pg_catalog.regprocedure || ' SECURITY DEFINER' AS arm
	FROM pg_catalog.pg_proc p WHERE p.prosecdef AND p.prokind IN ('f', 'p') AND p.oid >= 16384 AND ('pg_catalog.pg_proc'::pg_catalog.regclass, p.oid) NOT IN (TABLE made)
	UNION ALL SELECT c.oid::pg_catalog.regclass::text, pg_catalog.pg_get_userbyid(c.relowner), pg_catalog.md5(pg_catalog.pg_get_viewdef(c.oid)), {views}
	FROM pg_catalog.pg_class c WHERE c.relkind = 'v' AND c.oid >= 16384 AND c.relowner IN (TABLE own) AND ('pg_catalog.pg_class'::pg_catalog.regclass, c.oid) NOT IN (TABLE made)
		AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)
	UNION ALL SELECT pg_catalog.quote_ident(w.rulename) || ' on ' || c.oid::pg_catalog.regclass, pg_catalog.pg_get_userbyid(c.relowner), pg_catalog.md5(pg_catalog.pg_get_ruledef(w.oid)),
		'DROP RULE ' || pg_catalog.quote_ident(w.rulename) || ' ON ' || c.oid::pg_catalog.regclass, pg_catalog.pg_get_ruledef(w.oid)
	FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class c ON c.oid = w.ev_class
	WHERE w.rulename <> '_RETURN' AND w.oid >= 16384 AND c.relowner IN (TABLE own) AND ('pg_catalog.pg_class'::pg_catalog.regclass, c.oid) NOT IN (TABLE made)
	ORDER BY 1`

// Before 15 a view has its owner's rights whatever is said: nobody else is to look through it.
const (
	viewsFrom15 = `'ALTER VIEW ' || c.oid::pg_catalog.regclass || ' SET (security_invoker = true)', 'ALTER VIEW ' || c.oid::pg_catalog.regclass || ' RESET (security_invoker)'`
	viewsTo14   = `'REVOKE ALL ON ' || c.oid::pg_catalog.regclass || ' FROM PUBLIC', 'GRANT SELECT ON ' || c.oid::pg_catalog.regclass || ' TO PUBLIC'`
)

type arm struct {
	Name   string `json:"name"`
	Owner  string `json:"owner"`
	Digest string `json:"digest"`
	Disarm string `json:"disarm"`
	Arm    string `json:"arm"`
}

// same says whether it is the same for whoever uses it.
func (a arm) same(b arm) bool { return a.Name == b.Name && a.Owner == b.Owner && a.Digest == b.Digest }

func armsOf(ctx context.Context, c *postgres.Conn, owner string) (all []arm, err error) {
	views := viewsFrom15
	if c.Version() < 150000 {
		views = viewsTo14
	}
	// Names come with their schemas, and nothing in them is looked up by a path that somebody has set.
	if _, err := c.Run(ctx, "SET search_path = pg_catalog"); err != nil {
		return nil, err
	}
	q := postgres.Query{Name: "what has its owner's rights", SQL: strings.Replace(armsSQL, "{views}", views, 1), Args: []string{owner}, Into: &all}
	return all, c.Ask(ctx, []postgres.Query{q})
}

// Disarm takes from what a dump has made the rights of its owner, unless the database in service has the same. c is an administrator's
// connection to the fresh database, which nobody else is in; live leads to the one in service. What it has disarmed is told.
func (b Beside) Disarm(ctx context.Context, c *postgres.Conn, live postgres.Target, owner string) (notes []string, err error) {
	found, err := armsOf(ctx, c, owner)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	var known []arm
	l, err := live.ConnectSession(ctx)
	switch {
	case err == nil:
		known, err = armsOf(ctx, l, owner)
		l.CloseSoon()
	case postgres.IsNoDatabase(err):
		err = nil
	}
	if err != nil {
		return nil, err
	}
	const told = 10
	left := 0
	for _, a := range found {
		if slices.ContainsFunc(known, a.same) {
			continue
		}
		if _, err := c.Run(ctx, a.Disarm); err != nil {
			return nil, fmt.Errorf("%s has the rights of %s, and has to lose them: %w", a.Name, a.Owner, err)
		}
		if left++; left <= told {
			notes = append(notes, fmt.Sprintf("%s had the rights of its owner, %s, and has them no more, since it comes from the dump alone; if you trust it: %s", a.Name, a.Owner, strings.Join(strings.Fields(a.Arm), " ")))
		}
	}
	if left > told {
		notes = append(notes, fmt.Sprintf("and %d more like it", left-told))
	}
	return notes, nil
}
