package operate

import (
	"fmt"
	"strings"
)

// Which rows are meant is asked with the same words everywhere: :row is the table's alias, $1 the statuses, $2 the time.
const meant = `(:row.inbox_status = ANY ($1::public.inbox_status_enum[]) AND :row.created_at < $2::timestamptz)`

// hasChild: a row that is its own parent stands in nobody's way.
const hasChild = `EXISTS (SELECT FROM public.session c WHERE c.parent = :row.id AND c.id <> :row.id)`

// stretchSQL deletes batch after batch on the server, each in a transaction of its own, until its time is over, it has gone over
// its share of blocks, or a batch fails. A round trip or a rest after each batch wakes up so many that writers of other rows wait
// for a processor, five times as long as beside one DELETE.
//
// A batch takes rows by their places, from the table's end: children come behind their parents as a rule, and go first or in
// the same statement. What is meant is asked of a row again that a writer changed while it was waited for. Its size follows how
// long batches take and how dense what is stale lies: it shrinks at once, and grows by half at most. What a batch costs depends on
// both, for its blocks are read even if few of their rows go; few rows tell little of what rows cost. It has as many blocks as
// hold four fifths of its rows: one that is full has to be followed by another over the same blocks.
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
	high int8 := o->>'high';
	low int8;
	blocks int8 := o->>'blocks';
	most int8 := o->>'rows';
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
		low := greatest(0, high - blocks);
		BEGIN
			places := ARRAY({places});
			DELETE FROM ONLY public.session s WHERE s.ctid = ANY (places) AND {s};
			GET DIAGNOSTICS n = ROW_COUNT;
		EXCEPTION WHEN foreign_key_violation OR lock_not_available OR deadlock_detected OR serialization_failure THEN
			why := SQLSTATE;
		END;
		IF why = '' THEN
			seen := cardinality(places);
			deleted := deleted + n;
			doubt := doubt OR n < seen;
			IF seen < most OR n = 0 THEN
				high := low;
				batches := batches - 1;
			END IF;
		END IF;
		PERFORM set_config('sessiondbd.prune', jsonb_build_object('high', high, 'blocks', blocks, 'rows', most, 'batches', batches,
			'deleted', deleted, 'doubt', doubt, 'why', why)::text, false);
		COMMIT;
		EXIT WHEN high = 0 OR batches = 0 OR why <> '' OR clock_timestamp() > until;
		scale := least(1.5, goal / greatest(extract(epoch FROM clock_timestamp() - began), 1e-6));
		blocks := least(floor(blocks * scale) + 1, CASE WHEN seen = most THEN blocks * 2 / 3 ELSE most * 4 / 5 * blocks / greatest(1, seen) END);
		blocks := least(greatest(1, blocks), {most blocks});
		IF seen * 2 >= most THEN
			most := least(greatest({least rows}, most * scale), {most rows});
		END IF;
	END LOOP;
END $do$`

// swiftPlaces leaves it to the foreign key to look for children: one who lives fails the batch, which is then tried carefully.
const swiftPlaces = `SELECT v.ctid FROM ONLY public.session v WHERE v.ctid >= format('(%s,0)', low)::tid AND v.ctid < format('(%s,0)', high)::tid AND {v}
	ORDER BY v.ctid DESC LIMIT most`

// carefulPlaces are only of leaves that nobody holds.
const carefulPlaces = `SELECT v.ctid FROM ONLY public.session v WHERE v.ctid >= format('(%s,0)', low)::tid AND v.ctid < format('(%s,0)', high)::tid AND {v} AND NOT {child v}
	ORDER BY v.ctid DESC LIMIT most FOR UPDATE OF v SKIP LOCKED`

// spellStretch writes a stretch out, which has variables for parameters.
func spellStretch(places string) string {
	sql := spell(strings.Replace(stretchSQL, "{places}", places, 1))
	return strings.NewReplacer("$1", "statuses", "$2", "older", "{most blocks}", fmt.Sprint(mostBlocks), "{least rows}", fmt.Sprint(leastRows), "{most rows}", fmt.Sprint(mostRows)).Replace(sql)
}

const (
	deleteAt = `DELETE FROM ONLY public.session s WHERE s.ctid = ANY (ARRAY(`
	deleted  = `)) AND {s}`

	// namedSQL tells whose children went: those may be leaves now.
	namedSQL = deleteAt + `SELECT v.ctid FROM ONLY public.session v WHERE v.id = ANY ($3::uuid[]) AND {v} AND NOT {child v}
		FOR UPDATE OF v SKIP LOCKED` + deleted + ` RETURNING s.parent`

	// circleSQL deletes rows that are each other's ancestors: all of them, or the foreign key fails the statement.
	circleSQL = deleteAt + `SELECT v.ctid FROM ONLY public.session v WHERE v.id = ANY ($3::uuid[]) AND {v} FOR UPDATE OF v SKIP LOCKED` + deleted
)

// leftSQL looks at what is left of what was meant. Its leaves were held, or were moved by a writer to where the walk had been.
const leftSQL = `SELECT count(*) FILTER (WHERE parent) AS parents, count(*) FILTER (WHERE NOT parent) AS leaves, count(*) FILTER (WHERE knot) AS knots,
	coalesce((array_agg(id) FILTER (WHERE NOT parent))[1:50000], '{}') AS some
	FROM (SELECT s.id, {child s} AS parent, EXISTS (SELECT FROM public.session c WHERE c.parent = s.id AND c.id <> s.id AND {c}) AS knot
		FROM ONLY public.session s WHERE {s}) AS l`

// knotsSQL are rows that stay and whose parent does, too.
const knotsSQL = `SELECT s.id, s.parent FROM ONLY public.session s JOIN ONLY public.session p ON p.id = s.parent WHERE s.id <> p.id AND {s} AND {p}`

// forecastSQL counts what a run would delete: all that is meant but the ancestors of what is not. UNION ends circles.
const forecastSQL = `WITH RECURSIVE kept (id) AS (
		SELECT c.parent FROM public.session c WHERE c.parent IS NOT NULL AND c.parent <> c.id AND {c} IS NOT TRUE
		UNION SELECT p.parent FROM kept k JOIN public.session p ON p.id = k.id WHERE p.parent IS NOT NULL)
	SELECT format('%s', s.inbox_status) AS status, count(*) FILTER (WHERE k.id IS NULL) AS n, count(k.id) AS parents,
		(min(s.created_at) FILTER (WHERE k.id IS NULL))::text AS oldest, (max(s.created_at) FILTER (WHERE k.id IS NULL))::text AS newest
	FROM ONLY public.session s LEFT JOIN kept k ON k.id = s.id WHERE {s} GROUP BY s.inbox_status ORDER BY s.inbox_status`

// spell writes the questions out: {s} is whether s is meant, {child s} whether it has a child.
func spell(sql string) string {
	for _, row := range []string{"s", "v", "c", "p"} {
		sql = strings.NewReplacer("{"+row+"}", strings.ReplaceAll(meant, ":row", row), "{child "+row+"}", strings.ReplaceAll(hasChild, ":row", row)).Replace(sql)
	}
	return sql
}
