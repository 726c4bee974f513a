//go:build integration

package main

import (
	"strings"
	"testing"

	"sessiondbd/internal/lab"
)

// What pg_dump does not quote, and what it writes to clear away first, comes back like everything else.
func TestRestoreShapes(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	s.insert()
	s.sql("sessiondb", `CREATE FUNCTION dur(begin timestamptz) RETURNS int LANGUAGE sql AS 'SELECT 1'; COMMENT ON FUNCTION dur IS 'x'; REVOKE ALL ON FUNCTION dur FROM PUBLIC;
		CREATE FUNCTION begin(begin int) RETURNS int BEGIN ATOMIC SELECT CASE begin WHEN 1 THEN 2 END; END;
		CREATE TABLE "odd; table" (id serial PRIMARY KEY, "odd column" text DEFAULT 'x', n int GENERATED ALWAYS AS IDENTITY); CREATE VIEW by_key AS SELECT t.*, count(*) AS c FROM "odd; table" t GROUP BY t.id;
		CREATE TABLE parted (n int) PARTITION BY RANGE (n); CREATE TABLE part PARTITION OF parted FOR VALUES FROM (0) TO (9); CREATE TABLE child () INHERITS ("odd; table"); ALTER TABLE child ALTER COLUMN "odd column" DROP DEFAULT;
		ALTER TABLE "odd; table" ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON "odd; table" USING (true); CREATE RULE r AS ON DELETE TO parted DO INSTEAD NOTHING; CREATE MATERIALIZED VIEW seen AS SELECT 1 AS n; CREATE INDEX ON seen (n)`)
	rows := s.rows()
	for name, path := range map[string]string{"SQL": s.dumped("it.sql"), "archive": s.dumped("it.dump", "-Fc"), "cleaning": s.dumped("clean.sql", "--clean"), "cleaning what is there": s.dumped("exists.sql", "--clean", "--if-exists")} {
		s.want(exitOK, []string{"restore", "--dry-run", path}, "50 sessions")
		s.want(exitOK, []string{"restore", path}, "50 sessions")
		if got := s.sql("sessiondb", "SELECT dur(now()), begin(1), (SELECT count(*) FROM by_key)"); got != "1|2|0" || s.rows() != rows {
			t.Errorf("%s: the functions give %s, or the rows are not as they were", name, got)
		}
	}
}

// A dump without rows is no dump of no sessions.
func TestRestoreWithoutRows(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	none := s.dumped("none.sql")
	rows := s.insert()
	for _, path := range []string{s.dumped("schema.sql", "--schema-only"), s.dumped("schema.dump", "-Fc", "-s")} {
		for _, args := range [][]string{{"restore", path}, {"restore", path, "--dry-run"}} {
			s.want(exitRefused, args, "without its rows", "--empty", "as it was")
			if s.rows() != rows {
				t.Fatal("rows are not as they were")
			}
		}
	}
	s.want(exitOK, []string{"restore", none}, "0 sessions", "before: 50")
	s.want(exitOK, []string{"restore", s.dumped("schema.sql", "--schema-only")}, "before: 0")
	s.insert()
	s.want(exitOK, []string{"restore", "--dry-run", "--empty", s.dumped("schema.sql", "--schema-only")}, "holds 0 sessions", "has 50")
	s.want(exitOK, []string{"restore", "--empty", s.dumped("schema.sql", "--schema-only")}, "0 sessions", "before: 50")
	s.inSync()
}

// What a dry run announces is what happens.
func TestRestoreDryRun(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	rows := s.insert()
	other := strings.ReplaceAll(s.read(s.dumped("it.sql")), "public.session", "public.others")
	s.write("other.sql", other)
	for _, path := range []string{s.path("other.sql"), s.dumped("data.sql", "--data-only"), s.dumped("table.sql", "-t", "session"), s.dumped("data.dump", "-Fc", "-a")} {
		for _, args := range [][]string{{"restore", path}, {"restore", path, "--dry-run"}} {
			s.want(exitRefused, args, "as it was")
			if s.rows() != rows {
				t.Fatal("rows are not as they were")
			}
		}
	}
	for _, args := range [][]string{{"--rows-per-insert=20"}, {"--rows-per-insert=20", "--on-conflict-do-nothing"}} {
		s.want(exitOK, []string{"restore", "--dry-run", s.dumped("it.sql", args...)}, "holds 50 sessions")
	}
}

// What only an administrator may in somebody's own dump is left out and told, and keeps nobody from his sessions.
func TestRestoreLeavesOut(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{Settings: map[string]string{"wal_level": "logical"}})
	s.apply()
	rows := s.insert()
	s.sql("sessiondb", `CREATE TABLE extra (id serial PRIMARY KEY, "odd name" int DEFAULT 1); CREATE PUBLICATION everything FOR ALL TABLES; COMMENT ON PUBLICATION everything IS 'x'; CREATE PUBLICATION one FOR TABLE extra;
		CREATE SUBSCRIPTION feed CONNECTION 'host=127.0.0.1 dbname=none password=geheim' PUBLICATION p WITH (connect = false); COMMENT ON SUBSCRIPTION feed IS 'x';
		CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'; CREATE EVENT TRIGGER watch ON sql_drop EXECUTE FUNCTION f(); ALTER EVENT TRIGGER watch DISABLE;
		CREATE ROLE app; ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO PUBLIC`)
	said := []string{"50 sessions", "CREATE PUBLICATION everything FOR ALL TABLES", "CREATE SUBSCRIPTION feed CONNECTION …", "CREATE EVENT TRIGGER watch ON sql_drop", "ALTER EVENT TRIGGER watch DISABLE", "ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO PUBLIC"}
	paths := []string{s.dumped("it.sql", "--clean"), s.dumped("it.dump", "-Fc"), s.dumped("exists.sql", "--clean", "--if-exists")}
	for _, path := range paths {
		s.want(exitOK, []string{"restore", "--dry-run", path}, said...)
		r := s.want(exitOK, []string{"restore", path}, said...)
		if strings.Contains(r.stdout+r.stderr, "geheim") {
			t.Error("it tells a password")
		}
		if got := s.sql("sessiondb", "SELECT string_agg(pubname, ' '), (SELECT count(*) FROM pg_publication_tables) FROM pg_publication"); got != "one|1" || s.rows() != rows {
			t.Errorf("%s: publications %s, or the rows are not as they were", path, got)
		}
	}
}
