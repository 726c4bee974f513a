package operate

import (
	"context"
	"fmt"
	"strings"

	"sessiondbd/internal/postgres"
	"sessiondbd/internal/schema"
)

// guardedSQL is whether the foreign key makes orphans impossible from here on.
const guardedSQL = `EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.conrelid = to_regclass('public.session') AND c.confrelid = c.conrelid
		AND c.contype = 'f' AND c.convalidated
		AND c.conkey = ARRAY[(SELECT attnum FROM pg_catalog.pg_attribute WHERE attrelid = c.conrelid AND attname = 'parent')]
		AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgconstraint = c.oid AND t.tgenabled NOT IN ('O', 'A')))`

// onwardSQL are foreign keys by which a session that goes takes others with it, or changes them: they would be pending ones, too.
const onwardSQL = `WITH RECURSIVE gone (oid) AS (SELECT 'public.session'::regclass::oid
		UNION SELECT c.conrelid FROM gone g JOIN pg_catalog.pg_constraint c ON c.confrelid = g.oid WHERE c.contype = 'f' AND c.confdeltype = 'c')
	SELECT c.conname AS name FROM gone g JOIN pg_catalog.pg_constraint c ON c.confrelid = g.oid
	WHERE c.contype = 'f' AND c.conrelid = 'public.session'::regclass AND c.confdeltype IN ('c', 'n', 'd') ORDER BY 1`

// keepersSQL are foreign keys of other tables that a session which they refer to stays for.
const keepersSQL = `SELECT format('%I.%I', n.nspname, r.relname) AS table, r.relkind = 'p' AS parts,
		ARRAY(SELECT format('%I', a.attname) FROM unnest(c.conkey) WITH ORDINALITY k (n, i) JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.n ORDER BY k.i) AS columns,
		ARRAY(SELECT format('%I', a.attname) FROM unnest(c.confkey) WITH ORDINALITY k (n, i) JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.n ORDER BY k.i) AS refers
	FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_class r ON r.oid = c.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
	WHERE c.contype = 'f' AND c.confrelid = 'public.session'::regclass AND c.conrelid <> c.confrelid AND c.confdeltype IN ('a', 'r') AND c.conparentid = 0 ORDER BY 1, 3::text`

// begin fixes the time by the server's clock, which made the rows' own, and refuses a table from which more would go, or other code
// be executed, than is meant.
func (s Stale) begin(ctx context.Context, c *postgres.Conn) (Pruned, speller, error) {
	p := Pruned{Statuses: s.Statuses}
	var at []struct {
		Before  string `json:"before"`
		Guarded bool   `json:"guarded"`
	}
	var strangers []schema.Stranger
	var onward []struct {
		Name string `json:"name"`
	}
	var keepers []keeper
	if err := noViews(ctx, c); err != nil {
		return p, speller{}, err
	}
	err := c.Ask(ctx, []postgres.Query{
		{
			Name: "the server's time", Into: &at, Args: []string{fmt.Sprint(int64(s.OlderThan.Seconds()))},
			SQL: `SELECT (pg_catalog.now() - $1::float8 * interval '1 second')::text AS before, ` + guardedSQL + ` AS guarded`,
		},
		{Name: "code of others", SQL: schema.StrangersSQL(schema.Deleting), Into: &strangers},
		{Name: "what would go with them", SQL: onwardSQL, Into: &onward},
		{Name: "who keeps sessions", SQL: keepersSQL, Into: &keepers},
	})
	if err != nil {
		return p, speller{}, err
	}
	refuse := func(format string, args ...any) (Pruned, speller, error) {
		return p, speller{}, postgres.NewError(postgres.Refused, fmt.Sprintf(format, args...))
	}
	switch {
	case len(onward) > 0:
		return refuse("the foreign key %s has sessions of any status go, or change, with one that is deleted: if it is not meant, sudo -u postgres psql %s -c 'ALTER TABLE public.session DROP CONSTRAINT %s'",
			onward[0].Name, c.Database, postgres.QuoteIdent(onward[0].Name))
	case len(strangers) > 0:
		return refuse("pruning would execute it with an administrator's rights: %s: %s", strangers[0], strangers[0].Remedy(c.Database))
	case len(at) == 1 && !at[0].Guarded:
		return refuse("nothing keeps a parent from going before its children: the foreign key on parent is missing, not validated or switched off: see sudo sessiondbd plan, then sudo sessiondbd apply")
	}
	ok := false
	if len(at) == 1 {
		p.before = at[0].Before
		p.Before, ok = postgres.Timestamp(p.before)
	}
	if !ok {
		return p, speller{}, fmt.Errorf("the server's time is not understood: %v", at)
	}
	for _, k := range keepers {
		if name := strings.ReplaceAll(k.Table, `"`, ""); len(p.Keepers) == 0 || p.Keepers[len(p.Keepers)-1] != name {
			p.Keepers = append(p.Keepers, name)
		}
	}
	return p, speller{keepers}, nil
}
