package operate

import (
	"fmt"
	"strings"
)

// Which rows are meant is asked with the same words everywhere: :row is the table's alias, $1 the statuses, $2 the time.
const meant = `(:row.inbox_status = ANY ($1::public.inbox_status_enum[]) AND :row.created_at < $2::timestamptz)`

// hasChild: a row that is its own parent stands in nobody's way. What else keeps a row is another table's, see keeper. OFFSET keeps it a
// question for each row, and no join: where one parent has most of the table for children, the planner takes it for one of everything with
// everything, whose time goes with the square of the rows.
const hasChild = `EXISTS (SELECT FROM public.session c WHERE c.parent = :row.id AND c.id <> :row.id OFFSET 0)`

// stretchSQL deletes batch after batch on the server, each in a transaction of its own, until its time is over, it has gone over
// its share of blocks, or a batch fails. A round trip or a rest after each batch wakes up so many that writers of other rows wait
// for a processor, five times as long as beside one DELETE.
//
// A batch takes rows by their places, from one end of the table to the other: from the end where children lie, who then go first or
// in the same statement. What is meant is asked of a row again that a writer changed while it was waited for. Its size follows how
// long batches take and how dense what is stale lies: it shrinks at once, and grows by half at most. What a batch costs depends on
// both, for its blocks are read even if few of their rows go; few rows tell little of what rows cost. It has as many blocks as
// hold four fifths of its rows: one that is full has to be followed by another over the same blocks.
//
// A batch of rows with all who are below them is begun with a share of what it may take: that it was too much shows only afterwards.
//
// Columns that others have added may have any name: ours are named with their table. No text is cast into the type of the status, nor
// that into text: who owned it may have made the cast.
//
// The setting carries what is asked for, and then what was done, which is so kept with each batch's commit.
const stretchSQL = `DO $do$
#variable_conflict use_variable
DECLARE
	o jsonb := current_setting('sessiondbd.prune')::jsonb;
	statuses public.inbox_status_enum[];
	older timestamptz := o->>'before';
	until timestamptz := clock_timestamp() + (o->>'seconds')::float8 * interval '1 second';
	goal float8 := o->>'goal';
	up bool := o->>'up';
	next int8 := o->>'next';
	last int8 := o->>'last';
	low int8;
	high int8;
	blocks int8 := o->>'blocks';
	most int8 := o->>'rows';
	share float8 := 1;
	part int8;
	batches int8 := o->>'batches';
	began timestamptz;
	scale float8;
	places tid[];
	seen int8;
	n int8;
	deleted int8 := 0;
	doubt bool := false;
	why text := '';
BEGIN
	EXECUTE format('SELECT %L::public.inbox_status_enum[]', ARRAY(SELECT jsonb_array_elements_text(o->'statuses'))) INTO statuses;
	LOOP
		began := clock_timestamp();
		low := CASE WHEN up THEN next ELSE greatest(last, next - blocks) END;
		high := CASE WHEN up THEN least(last, next + blocks) ELSE next END;
		part := most;
		BEGIN
			{take}
			DELETE FROM ONLY public.session s WHERE s.ctid = ANY (places) AND {s};
			GET DIAGNOSTICS n = ROW_COUNT;
			SET CONSTRAINTS ALL IMMEDIATE;
		EXCEPTION WHEN foreign_key_violation OR lock_not_available OR deadlock_detected OR serialization_failure THEN
			why := SQLSTATE;
		END;
		IF why = '' THEN
			deleted := deleted + n;
			doubt := doubt OR n < cardinality(places);
			IF seen < part OR n * 2 < part THEN
				doubt := doubt OR seen = part;
				next := CASE WHEN up THEN high ELSE low END;
				batches := batches - 1;
			END IF;
		END IF;
		PERFORM set_config('sessiondbd.prune', jsonb_build_object('next', next, 'blocks', blocks, 'rows', most, 'batches', batches,
			'deleted', deleted, 'doubt', doubt, 'why', why)::text, false);
		COMMIT;
		EXIT WHEN next = last OR batches = 0 OR why <> '' OR clock_timestamp() > until;
		scale := least(1.5, goal / greatest(extract(epoch FROM clock_timestamp() - began), 1e-6));
		blocks := least(floor(blocks * scale) + 1, CASE WHEN seen = part THEN blocks * 2 / 3 ELSE part * 4 / 5 * blocks / greatest(1, seen) END);
		blocks := least(greatest(1, blocks), {most blocks});
		IF seen * 2 >= part THEN
			most := least(greatest({least rows}, most * scale), {most rows});
		END IF;
	END LOOP;
END $do$`

// Which rows a batch takes: their places, and how many were seen of those of the stretch's blocks that are meant.
const (
	inBlocks = ` FROM ONLY public.session v WHERE v.ctid >= format('(%s,0)', low)::tid AND v.ctid < format('(%s,0)', high)::tid AND {v}{also}`
	isChild  = ` AND v.parent IS NOT NULL`
	someOf   = ` ORDER BY v.ctid {order} LIMIT part`
	places   = `places := ARRAY(SELECT v.ctid` + inBlocks
	leaves   = places + ` AND NOT {child v} AND NOT {kept v}` + someOf
	seen     = `); seen := cardinality(places);`

	// takeSwiftly leaves it to foreign keys to look for who keeps a row: one who does fails the batch, which is then tried otherwise.
	takeSwiftly = places + someOf + seen
	// takeKin takes rows in the blocks with those below them, wherever they lie, but not who has somebody below who stays. If they are too
	// many for a batch, it takes leaves.
	takeKin = `part := greatest(1, most * share);
			WITH RECURSIVE
			base AS MATERIALIZED (SELECT v.id, v.ctid AS place, v.parent, NOT {kept v} AS may` + inBlocks + someOf + `),
			below AS (SELECT * FROM base
				UNION SELECT c.* FROM below b CROSS JOIN LATERAL (SELECT c.id, c.ctid, c.parent, {c} IS TRUE AND NOT {kept c}
					FROM ONLY public.session c WHERE c.parent = b.id AND c.id <> b.id LIMIT 2 * most + 1) c WHERE b.may),
			kin AS MATERIALIZED (SELECT * FROM below LIMIT 2 * most + 1),
			stays (id) AS (SELECT k.parent FROM kin k WHERE NOT k.may AND k.parent IS NOT NULL
				UNION SELECT p.parent FROM stays k JOIN ONLY public.session p ON p.id = k.id WHERE p.parent IS NOT NULL)
			SELECT CASE WHEN count(*) <= 2 * most THEN coalesce(array_agg(k.place) FILTER (WHERE k.may AND k.id NOT IN (SELECT s.id FROM stays s)), '{}') END, (SELECT count(*) FROM base)
				FROM kin k INTO places, seen;
			IF places IS NULL THEN
				share := greatest(share / 2, 0.05);
				part := most;
				` + takeLeaves + `
			ELSIF cardinality(places) < most THEN
				share := least(1, share * 1.25);
			END IF;`
	takeLeaves = leaves + seen
	// takeCarefully takes leaves that nobody holds. To lock them first costs half as much again.
	takeCarefully = leaves + ` FOR UPDATE OF v SKIP LOCKED` + seen
)

// namedSQL deletes rows by name. Children of theirs have to be among them, or the foreign key fails the statement.
const namedSQL = `DELETE FROM ONLY public.session s WHERE s.ctid = ANY (ARRAY(SELECT v.ctid FROM ONLY public.session v WHERE v.id = ANY ($3::uuid[]) AND {v} AND NOT {kept v}
	FOR UPDATE OF v SKIP LOCKED)) AND {s}`

// layoutSQL says of some parents that are meant whether they lie behind their children, who are meant, too. $3 is a percentage.
const layoutSQL = `SELECT count(*) FILTER (WHERE p.ctid > s.ctid) AS behind, count(*) FILTER (WHERE p.ctid < s.ctid) AS before
	FROM public.session s TABLESAMPLE SYSTEM ($3::float4) JOIN ONLY public.session p ON p.id = s.parent WHERE {s} AND {p}`

// leftSQL looks at what is left of what was meant. Its leaves were held, or were moved by a writer to where the walk had been. The table is
// read by its places, which is not what prepare forbids.
const leftSQL = `SELECT count(*) FILTER (WHERE kept) AS kept, count(*) FILTER (WHERE parent AND NOT kept) AS parents, count(*) FILTER (WHERE NOT parent AND NOT kept) AS leaves,
	coalesce((array_agg(id) FILTER (WHERE NOT parent AND NOT kept))[1:50000], '{}') AS some
	FROM (SELECT s.id, {child s} AS parent, {kept s} AS kept FROM ONLY public.session s WHERE s.ctid >= '(0,0)' AND {s}) AS l`

// knotsSQL names what is left, with who is above and how many are below.
var knotsSQL = fmt.Sprintf(`SELECT s.id, s.parent, (SELECT count(*) FROM public.session c WHERE c.parent = s.id AND c.id <> s.id) AS children, {kept s} AS kept
	FROM ONLY public.session s WHERE s.ctid >= '(0,0)' AND {s} LIMIT %d`, mostKnots+1)

// forecastSQL counts what a run would delete: all that is meant but what other tables keep, and the ancestors of what stays. UNION ends
// circles.
const forecastSQL = `WITH RECURSIVE stays (id) AS (
		SELECT c.parent FROM public.session c WHERE c.parent IS NOT NULL AND c.parent <> c.id AND {c} IS NOT TRUE
		UNION SELECT s.id FROM ONLY public.session s WHERE {s} AND {kept s}
		UNION SELECT p.parent FROM stays k JOIN public.session p ON p.id = k.id WHERE p.parent IS NOT NULL),
	judged AS (SELECT s.inbox_status, s.created_at, {kept s} AS kept, k.id IS NOT NULL AS stays
		FROM ONLY public.session s LEFT JOIN stays k ON k.id = s.id WHERE {s})
	SELECT format('%s', inbox_status) AS status, count(*) FILTER (WHERE NOT stays) AS n, count(*) FILTER (WHERE stays AND NOT kept) AS parents,
		count(*) FILTER (WHERE kept) AS kept, (min(created_at) FILTER (WHERE NOT stays))::text AS oldest, (max(created_at) FILTER (WHERE NOT stays))::text AS newest
	FROM judged GROUP BY inbox_status ORDER BY inbox_status`

// keeper is a foreign key of another table that keeps the sessions that it refers to. All names are quoted.
type keeper struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns"`
	Refers  []string `json:"refers"`
	Parts   bool     `json:"parts"` // partitioned: its rows lie in others
}

// keeps is whether it keeps a row by that name. Two types that a foreign key compares are PostgreSQL's own, or see schema.Deleting.
func (k keeper) keeps(row string) string {
	var pairs []string
	for i, c := range k.Columns {
		pairs = append(pairs, "keeper."+c+" = "+row+"."+k.Refers[i])
	}
	only := "ONLY "
	if k.Parts {
		only = ""
	}
	return "EXISTS (SELECT FROM " + only + k.Table + " keeper WHERE " + strings.Join(pairs, " AND ") + ")"
}

// speller writes the questions out: {s} is whether s is meant, {child s} whether it has a child, {kept s} whether another table keeps it.
type speller struct{ keepers []keeper }

func (p speller) spell(sql string) string {
	for _, row := range []string{"s", "v", "c", "p"} {
		kept := []string{"false"}
		for _, k := range p.keepers {
			kept = append(kept, k.keeps(row))
		}
		sql = strings.NewReplacer("{"+row+"}", strings.ReplaceAll(meant, ":row", row), "{child "+row+"}", strings.ReplaceAll(hasChild, ":row", row),
			"{kept "+row+"}", "("+strings.Join(kept, " OR ")+")").Replace(sql)
	}
	return sql
}

// stretch writes a stretch out, which has variables for parameters.
func (p *Pruner) stretch(take, also string) string {
	order := "DESC"
	if p.way.Up {
		order = "ASC"
	}
	sql := p.speller.spell(strings.NewReplacer("{also}", also, "{order}", order).Replace(strings.Replace(stretchSQL, "{take}", take, 1)))
	return strings.NewReplacer("$1", "statuses", "$2", "older", "{most blocks}", fmt.Sprint(mostBlocks), "{least rows}", fmt.Sprint(leastRows), "{most rows}", fmt.Sprint(mostRows)).Replace(sql)
}
