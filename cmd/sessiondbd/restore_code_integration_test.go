//go:build integration

package main

import (
	"os"
	"strings"
	"testing"

	"sessiondbd/internal/lab"
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

// What a role of the VMs has planted is restored like everything else, and gets no rights by that: neither from the weekly test of a
// backup, which nobody asks for, nor from a restore.
func TestRestoreGivesNoRights(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{Legacy: true, LegacyRows: true})
	backups := s.path("backups")
	s.must(os.Mkdir(backups, 0o755))
	s.own(backups)
	s.sql("sessiondb", planted)
	s.configure(s.read("config.yaml") + "backup: {directory: " + backups + "}\n")
	s.apply()
	const all = `SELECT (SELECT n FROM checked), (SELECT m::text FROM made m), (SELECT d::text FROM of_domain d), (SELECT d::text FROM of_domains d), (SELECT p::text FROM of_pair p), (SELECT n FROM late), (SELECT n FROM sought),
		(SELECT string_agg(coalesce(n, 0)::text, ' ') FROM fired), (SELECT n FROM ruled), (SELECT s::text FROM secured s), (SELECT n FROM parted), (SELECT count(*) FROM bare)`
	rows, others := s.rows(), s.sql("sessiondb", all)
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
	// Without a function of its own it does not notice that it has failed, and the statement fails with it.
	s.sql("sessiondb", "SET search_path = public; CREATE TABLE built_in (n int CHECK (CASE WHEN current_database() LIKE '%\\_restoring\\_%' THEN lo_from_bytea(0, query_to_xml('SELECT set_config(''role'', ''none'', false)', true, true, '')::text::bytea) > 0 ELSE true END)); ALTER TABLE built_in OWNER TO sessionuser; INSERT INTO built_in VALUES (1)")
	s.want(exitRefused, []string{"restore", s.dumped("built-in.sql")}, "COPY public.built_in", "cannot set parameter \"role\" within security-definer function", "as it was")
	if strings.Contains(s.Log(), "what was planted is postgres") {
		t.Error("what was planted was executed as an administrator")
	}
}
