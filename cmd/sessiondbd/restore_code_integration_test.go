//go:build integration

package main

import (
	"os"
	"regexp"
	"testing"

	"sessiondbd/internal/lab"
	"sessiondbd/internal/operate"
)

// planted is what a VM may have left in the database while its role could still make things there: code wherever a dump has code
// executed. It waits for a database that is restored, and takes an administrator's rights there if it can.
const planted = `SET ROLE sessionuser;
	CREATE FUNCTION evil(anyelement) RETURNS anyelement IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
		IF current_database() LIKE '%\_restoring\_%' THEN
			BEGIN
				PERFORM set_config('role', 'none', false);
				RAISE LOG 'what was planted is %', current_user;
			EXCEPTION WHEN others THEN
			END;
		END IF;
		RETURN $1;
	END $$;
	CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.evil(1); RETURN NEW; END $$;
	CREATE TABLE checked (n int CHECK (evil(n) > 0));
	CREATE TABLE made (n int, "the ""other""" int GENERATED ALWAYS AS (evil(n)) STORED);
	CREATE DOMAIN narrow AS int CHECK (evil(VALUE) > 0);
	CREATE TABLE of_domain (n narrow);
	CREATE TABLE of_domains (m narrow[]);
	CREATE TYPE pair AS (a narrow, b text);
	CREATE TABLE of_pair (p pair);
	CREATE TABLE late (n int);
	CREATE FUNCTION of_row(late) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN public.evil(1) > 0; END $$;
	ALTER TABLE late ADD CHECK (of_row(late.*));
	CREATE TABLE sought (n int);
	CREATE INDEX ON sought (evil(n));
	CREATE INDEX ON sought (n) WHERE evil(n) > 0;
	CREATE TABLE fired (n int);
	CREATE TRIGGER t BEFORE INSERT ON fired FOR EACH ROW EXECUTE FUNCTION fires();
	CREATE CONSTRAINT TRIGGER u AFTER INSERT ON fired DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fires();
	CREATE TABLE ruled (n int);
	CREATE RULE r AS ON INSERT TO ruled DO ALSO SELECT evil(1);
	CREATE TABLE secured (n int DEFAULT evil(1), i int GENERATED ALWAYS AS IDENTITY);
	ALTER TABLE secured ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
	CREATE POLICY p ON secured USING (evil(n) > 0) WITH CHECK (evil(n) > 0);
	CREATE TABLE parted (n int) PARTITION BY RANGE (evil(n));
	CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (100);
	CREATE MATERIALIZED VIEW seen AS SELECT evil(1) AS n;
	CREATE VIEW looked AS SELECT evil(1) AS n;
	CREATE TABLE bare ();
	RESET ROLE;
	INSERT INTO checked VALUES (1); INSERT INTO made VALUES (3); INSERT INTO of_domain VALUES (4); INSERT INTO of_domains VALUES ('{5,6}'); INSERT INTO of_pair VALUES ('(7,"a, ""b""")');
	INSERT INTO late VALUES (8); INSERT INTO sought VALUES (9); INSERT INTO fired VALUES (NULL), (10); INSERT INTO ruled VALUES (11); INSERT INTO secured VALUES (12); INSERT INTO parted VALUES (13); INSERT INTO bare DEFAULT VALUES`

// dug is the same by somebody who knows PostgreSQL: what outlives the statement that executes it, and what reaches out of the database
// that is restored. Each way is tried by itself.
const dug = `SET ROLE sessionuser;
	CREATE FUNCTION digs(n int) RETURNS int LANGUAGE plpgsql AS $f$
	DECLARE way text;
	BEGIN
		FOREACH way IN ARRAY CASE WHEN current_database() LIKE '%\_restoring\_%' THEN ARRAY[
			'DECLARE later CURSOR WITH HOLD FOR SELECT public.evil(1)',
			'CREATE TABLE public.holes (n int)', 'CREATE CONSTRAINT TRIGGER t AFTER INSERT ON public.holes DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.fires()', 'INSERT INTO public.holes VALUES (1)',
			'SET CONSTRAINTS ALL DEFERRED', 'SET SESSION AUTHORIZATION postgres', 'SET ROLE sessiondb_owner', 'SET session_replication_role = replica',
			'ALTER DATABASE sessiondb SET work_mem = ''99MB''', 'GRANT CREATE ON DATABASE sessiondb TO PUBLIC', 'GRANT sessiondb_owner TO sessionuser', 'DROP ROLE sessionuser',
			format('GRANT %I TO sessionuser', session_user), format('ALTER ROLE %I PASSWORD ''known''', session_user), format('ALTER ROLE %I VALID UNTIL ''infinity''', session_user), format('ALTER ROLE %I CONNECTION LIMIT -1', session_user),
			format('ALTER DATABASE %I SET search_path = here', current_database()), format('GRANT ALL ON DATABASE %I TO PUBLIC', current_database()),
			format('ALTER DATABASE %I IS_TEMPLATE true', current_database()), format('ALTER DATABASE %I CONNECTION LIMIT 0', current_database()), format('ALTER DATABASE %I ALLOW_CONNECTIONS false', current_database()),
			'ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC'
		] ELSE '{}' END LOOP
			BEGIN
				EXECUTE way;
				RAISE LOG 'what was dug as % of % succeeds: %', current_user, session_user, way;
			EXCEPTION WHEN others THEN
				RAISE LOG 'what was dug fails: %: %', way, sqlerrm;
			END;
		END LOOP;
		RETURN n;
	END $f$;
	CREATE TABLE dug (n int CHECK (digs(n) > 0));
	RESET ROLE;
	INSERT INTO dug VALUES (1)`

// What a role of the VMs has planted is restored like everything else, and gets no rights by that: neither from the weekly test of a
// backup, which nobody asks for, nor from a restore.
func TestRestoreGivesNoRights(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{Legacy: true, LegacyRows: true})
	backups := s.path("backups")
	s.must(os.Mkdir(backups, 0o755))
	s.own(backups)
	s.sql("sessiondb", planted)
	s.sql("sessiondb", dug)
	s.configure(s.read("config.yaml") + "backup: {directory: " + backups + "}\n")
	s.apply()
	const all = `SELECT (SELECT n FROM checked), (SELECT m::text FROM made m), (SELECT d::text FROM of_domain d), (SELECT d::text FROM of_domains d), (SELECT p::text FROM of_pair p), (SELECT n FROM late), (SELECT n FROM sought),
		(SELECT string_agg(coalesce(n, 0)::text, ' ') FROM fired), (SELECT n FROM ruled), (SELECT s::text FROM secured s), (SELECT n FROM parted), (SELECT count(*) FROM bare)`
	// What the restored database is to nobody, and who may what on the server.
	const state = `SELECT setdatabase <> 0, setrole::regrole, setconfig FROM pg_db_role_setting ORDER BY 1, 2; SELECT rolname, rolcanlogin FROM pg_roles ORDER BY 1; SELECT roleid::regrole, member::regrole FROM pg_auth_members ORDER BY 1, 2;
		SELECT (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(datacl) a), datdba::regrole, datconnlimit, datistemplate FROM pg_database WHERE datname = 'sessiondb'; SELECT count(*) FROM pg_default_acl;
		SELECT count(*) FROM pg_shdepend WHERE refobjid NOT IN (SELECT oid FROM pg_authid)`
	const owners = "SELECT relname, relowner::regrole FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname <> 'holes' ORDER BY 1; SELECT proname, proowner::regrole FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1"
	owned := s.sql("sessiondb", owners)
	rows, others, before := s.rows(), s.sql("sessiondb", all), s.sql("sessiondb", state)
	s.want(exitOK, []string{"backup"}, "300 sessions")
	s.want(exitOK, []string{"backup", "--verify"}, "every table has the rows that it had")
	for name, path := range map[string]string{"backup": backups + "/" + s.backups(".dump")[0], "SQL": s.dumped("it.sql"), "inserts": s.dumped("inserts.sql", "--inserts")} {
		s.want(exitOK, []string{"restore", path}, "300 sessions")
		if got := s.rows(); got != rows {
			t.Errorf("%s: rows %s, want %s", name, got, rows)
		}
		if got := s.sql("sessiondb", all); got != others {
			t.Errorf("%s: the others are %s, want %s", name, got, others)
		}
	}
	after := s.sql("sessiondb", state)
	if after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	if got := s.sql("sessiondb", owners); got != owned { // its code has no other's rights
		t.Errorf("what was restored belongs to\n%s\nand did to\n%s", got, owned)
	}
	reached := map[string]int{}
	for _, m := range regexp.MustCompile(`what was planted is (\w+)`).FindAllStringSubmatch(s.Log(), -1) {
		reached[m[1]]++
	}
	for _, m := range regexp.MustCompile(`what was dug as (\w+ of \w+) succeeds`).FindAllStringSubmatch(s.Log(), -1) {
		reached[m[1]]++
	}
	if n, as := reached[operate.Restorer], reached[operate.Restorer+" of "+operate.Restorer]; len(reached) != 2 || n < 40 || as < 30 {
		t.Errorf("what was planted was executed as %v, all of it to be as %s", reached, operate.Restorer)
	}
}
