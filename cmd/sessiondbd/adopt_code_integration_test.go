//go:build integration

package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sessiondbd/internal/lab"
)

// left is code that a VM's role left on a table that was its own, by what it hangs on. In the second column, what plan calls it where
// filling in timestamps would execute it, empty where that does not; in the third, the same of a DELETE.
var left = []struct{ sql, filling, deleting string }{
	{"CREATE TRIGGER t AFTER UPDATE OR DELETE ON session FOR EACH ROW EXECUTE FUNCTION fires()", "", "trigger t"},
	{"CREATE TRIGGER t AFTER UPDATE OR DELETE ON session FOR EACH ROW EXECUTE FUNCTION fires(); ALTER TABLE session ENABLE ALWAYS TRIGGER t", "trigger t", "trigger t"},
	{"CREATE TRIGGER t AFTER UPDATE OR DELETE ON session FOR EACH ROW EXECUTE FUNCTION fires(); ALTER TABLE session ENABLE REPLICA TRIGGER t", "trigger t", ""},
	{"CREATE TRIGGER t BEFORE UPDATE OR DELETE ON session FOR EACH ROW WHEN (evil(OLD.id)) EXECUTE FUNCTION suppress_redundant_updates_trigger(); ALTER TABLE session ENABLE ALWAYS TRIGGER t", "trigger t", "trigger t"},
	{"CREATE TRIGGER t AFTER DELETE ON session FOR EACH ROW WHEN (evil(OLD.id)) EXECUTE FUNCTION fires(); ALTER FUNCTION fires() SECURITY DEFINER", "", "trigger t"},
	{"CREATE RULE r AS ON UPDATE TO session DO ALSO SELECT evil(1); ALTER TABLE session ENABLE ALWAYS RULE r", "rule r", ""},
	{"CREATE RULE r AS ON DELETE TO session DO ALSO SELECT evil(1)", "", "rule r"},
	{"ALTER TABLE session ADD CONSTRAINT c CHECK (evil(id))", "constraint c", ""},
	{"CREATE DOMAIN d AS int CHECK (evil(VALUE)); ALTER TABLE session ADD CONSTRAINT c CHECK (length(id::text)::d > 0)", "constraint c", ""},
	{"CREATE OPERATOR ~~~~ (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evils); ALTER TABLE session ADD CONSTRAINT c CHECK (id ~~~~ id)", "constraint c", ""},
	{"ALTER TABLE session ADD g bool GENERATED ALWAYS AS (evil(id)) STORED", "column g", ""},
	{"CREATE INDEX i ON session (evil(id))", "index i", ""},
	{"CREATE INDEX i ON session (id) WHERE evil(id)", "index i", ""},
	{"ALTER TABLE session ADD CONSTRAINT c CHECK (query_to_xml('SELECT public.evil(1)', true, true, '') IS NOT NULL)", "constraint c", ""},
	{"CREATE TABLE child (of uuid REFERENCES session ON DELETE CASCADE)", "", "foreign key child_of_fkey"},
	{"CREATE DOMAIN d AS int CHECK (evil(VALUE)); ALTER TABLE session ADD extra d DEFAULT 1; CREATE STATISTICS s ON (evil(id)), parent FROM session", "", ""},
	{"CREATE POLICY p ON session USING (evil(id)) WITH CHECK (evil(id)); ALTER TABLE session ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY", "", ""},
	// What anybody might have, and nobody minds.
	{"ALTER TABLE session ADD CONSTRAINT c CHECK (created_at < now() + interval '1 day' AND length(id::text) > 3 AND inbox_status IN ('pending', 'processing', 'completed', 'failed')); CREATE INDEX i ON session (lower(id::text)) WHERE created_at > '2020-01-01'", "", ""},
}

// evil counts beside, since prune keeps its batches' messages to itself.
const evil = `SET ROLE sessionuser; CREATE SEQUENCE hits;
	CREATE FUNCTION evil(anyelement) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN
		RAISE LOG 'what was left is executed by %', session_user || ' as ' || current_user;
		IF current_user = 'postgres' THEN PERFORM nextval('public.hits'); END IF;
		RETURN true;
	END $$;
	CREATE FUNCTION evils(uuid, uuid) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN public.evil(1); END $$;
	CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.evil(1); RETURN coalesce(NEW, OLD); END $$; `

// What VMs' roles have left in a table that was theirs is taken over with it, and gets no rights by that: a write of ours that would
// execute it is refused, by name, until somebody who knows it has decided; nothing else waits for that.
func TestAdoptionGivesNoRights(t *testing.T) {
	t.Parallel()
	for i, row := range left {
		t.Run(row.filling+" "+row.deleting, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, lab.ClusterOptions{Legacy: true, LegacyRows: true})
			s.sql("sessiondb", "ALTER TABLE session OWNER TO sessionuser; ALTER FUNCTION update_updated_at_column OWNER TO sessionuser; ALTER TYPE inbox_status_enum OWNER TO sessionuser")
			s.sql("sessiondb", evil+row.sql)
			dump := s.dumped("it.sql")
			code, r := exitOK, s.run("apply")
			if row.filling != "" {
				code = exitRefused
				for _, want := range []string{row.filling, "which sessionuser may change", "sudo -u postgres psql sessiondb -c '"} {
					if strings.Contains(row.sql, "query_to_xml") && strings.HasPrefix(want, "which") {
						want = "may execute anything"
					}
					if !strings.Contains(strings.Join(strings.Fields(r.stdout), " "), want) {
						t.Errorf("apply does not say %q:\n%s", want, r.stdout)
					}
				}
			}
			if r.code != code {
				t.Errorf("apply exits %d, want %d\n%s%s", r.code, code, r.stdout, r.stderr)
			}
			if row.filling != "" {
				for range 3 { // it may be the other column's turn
					if m := regexp.MustCompile(`psql sessiondb -c '((?:DROP|ALTER TABLE)[^']+)'`).FindStringSubmatch(strings.Join(strings.Fields(r.stdout), " ")); m != nil {
						s.sql("sessiondb", m[1])
					}
					if r = s.run("apply"); r.code == exitOK {
						break
					}
				}
				s.want(exitOK, []string{"apply"})
			}
			if n := s.sql("sessiondb", "SELECT count(*) FROM session WHERE created_at IS NULL OR updated_at IS NULL"); n != "0" {
				t.Errorf("%s rows lack a timestamp", n)
			}
			s.configure(s.read("config.yaml") + "retention: {status: completed, older_than: 720h}\n")
			deleting := row.deleting != "" && (row.filling == "" || i == 0)
			switch p := s.run("prune"); {
			case deleting && (p.code != exitRefused || !strings.Contains(p.stderr, row.deleting)):
				t.Errorf("prune exits %d, want it refused for the %s\n%s%s", p.code, row.deleting, p.stdout, p.stderr)
			case !deleting && p.code != exitOK:
				t.Errorf("prune exits %d\n%s%s", p.code, p.stdout, p.stderr)
			}
			unhit := func() {
				t.Helper()
				if s.sql("sessiondb", "SELECT is_called FROM hits") == "t" {
					t.Error("executed as an administrator")
				}
			}
			unhit()
			// What a restore brings belongs to nobody's VM any more, and is theirs all the same.
			if row.filling != "" {
				s.want(exitRefused, []string{"restore", dump}, row.filling, "as it was")
			} else {
				s.want(exitOK, []string{"restore", dump}, "300 sessions")
				if p := s.run("prune"); row.deleting != "" && (p.code != exitRefused || !strings.Contains(p.stderr, row.deleting)) {
					t.Errorf("after a restore prune exits %d, want it refused for the %s\n%s%s", p.code, row.deleting, p.stdout, p.stderr)
				}
			}
			unhit()
			var by []string
			for _, m := range regexp.MustCompile(`what was left is executed by (\w+ as postgres)`).FindAllStringSubmatch(s.Log(), -1) {
				by = append(by, m[1])
			}
			if len(by) > 0 {
				t.Errorf("executed %d times by %v", len(by), slices.Compact(by))
			}
		})
	}
}

// A view that is called session executes what it is made of as whoever looks: nobody here does.
func TestViewGivesNoRights(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{Legacy: true, LegacyRows: true})
	dump := s.dumped("it.sql")
	backups := s.path("backups")
	s.must(os.Mkdir(backups, 0o755))
	s.own(backups)
	s.configure(s.read("config.yaml") + "backup: {directory: " + backups + "}\nretention: {status: completed, older_than: 720h}\n")
	s.sql("sessiondb", "ALTER TABLE session OWNER TO sessionuser")
	s.sql("sessiondb", evil+"ALTER TABLE session RENAME TO hidden; CREATE VIEW session AS SELECT h.* FROM hidden h WHERE evil(h.id) AND evil(1)")
	for _, args := range [][]string{{"plan"}, {"apply"}, {"status", "--sessions"}, {"doctor"}, {"prune"}, {"prune", "--dry-run"}, {"backup"}, {"backup", "--verify"}, {"restore", "--dry-run", dump}} {
		s.run(args...)
	}
	if m := regexp.MustCompile(`what was left is executed by \w+ as postgres.*\n.*\n.*`).FindString(s.Log()); m != "" {
		t.Error(m)
	}
	s.want(exitOK, []string{"restore", dump}, "300 sessions")
	if m := regexp.MustCompile(`what was left is executed by \w+ as postgres.*\n.*\n.*`).FindString(s.Log()); m != "" {
		t.Error(m)
	}
}

// The diary may have been made before us, by whoever owned the database: a line in it executes nothing of his.
func TestDiaryGivesNoRights(t *testing.T) {
	t.Parallel()
	const diary = `CREATE SCHEMA sessiondbd; CREATE TABLE sessiondbd.migrations (number integer CONSTRAINT migrations_pkey PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, adopted boolean NOT NULL,
		minimum integer NOT NULL, applied_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(), duration interval NOT NULL, applied_by text NOT NULL DEFAULT session_user); `
	for name, sql := range map[string]string{
		"trigger t":    "CREATE TRIGGER t BEFORE INSERT ON sessiondbd.migrations FOR EACH ROW EXECUTE FUNCTION fires()",
		"rule r":       "CREATE RULE r AS ON INSERT TO sessiondbd.migrations DO ALSO SELECT evil(1)",
		"constraint c": "ALTER TABLE sessiondbd.migrations ADD CONSTRAINT c CHECK (evil(number))",
		"index i":      "CREATE INDEX i ON sessiondbd.migrations (evil(number))",
		"column more":  "ALTER TABLE sessiondbd.migrations ADD more bool DEFAULT evil(1)",
		"column odd":   "CREATE DOMAIN d AS bool CHECK (evil(1)); ALTER TABLE sessiondbd.migrations ADD odd d",
		"":             "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, lab.ClusterOptions{Legacy: true, LegacyRows: true})
			s.sql("sessiondb", evil+diary+sql)
			if r := s.run("apply"); name == "" && r.code != exitOK || name != "" && (r.code == exitOK || !strings.Contains(strings.Join(strings.Fields(r.stdout+r.stderr), " "), "the "+name+" on sessiondbd.migrations would be executed")) {
				t.Errorf("apply exits %d\n%s%s", r.code, r.stdout, r.stderr)
			}
			if m := regexp.MustCompile(`what was left is executed by \w+ as postgres.*\n.*\n.*`).FindString(s.Log()); m != "" {
				t.Error(m)
			}
		})
	}
}

// Who owned the type of the status may have made casts of it, which are executed by whoever casts.
func TestCastGivesNoRights(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{Legacy: true, LegacyRows: true})
	backups := s.path("backups")
	s.must(os.Mkdir(backups, 0o755))
	s.own(backups)
	s.configure(s.read("config.yaml") + "backup: {directory: " + backups + "}\nretention: {status: completed, older_than: 720h}\n")
	s.sql("sessiondb", `ALTER TYPE inbox_status_enum OWNER TO sessionuser; SET ROLE sessionuser; CREATE SEQUENCE hits;
		CREATE FUNCTION hit() RETURNS void LANGUAGE plpgsql AS $$ BEGIN IF current_user = 'postgres' THEN PERFORM nextval('public.hits'); END IF; END $$;
		CREATE FUNCTION out_of(inbox_status_enum) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM public.hit(); RETURN format('%s', $1); END $$;
		CREATE FUNCTION into_it(text) RETURNS inbox_status_enum LANGUAGE plpgsql AS $$ BEGIN PERFORM public.hit(); RETURN 'completed'; END $$;
		CREATE CAST (inbox_status_enum AS text) WITH FUNCTION out_of(inbox_status_enum); CREATE CAST (text AS inbox_status_enum) WITH FUNCTION into_it(text)`)
	dump := s.dumped("it.sql")
	hits := func() string { return s.sql("sessiondb", "SELECT last_value, is_called FROM hits") }
	before := hits()
	s.sql("sessiondb", "SELECT inbox_status::text FROM session LIMIT 1")
	if hits() == before {
		t.Fatal("the cast does nothing, and so this proves nothing")
	}
	before = hits()
	for _, args := range [][]string{{"status", "--sessions"}, {"apply"}, {"status", "--sessions"}, {"doctor"}, {"prune", "--dry-run"}, {"prune"}, {"backup"}, {"backup", "--verify"}, {"restore", "--dry-run", dump}, {"restore", dump}, {"status", "--sessions"}, {"prune"}} {
		if r := s.run(args...); r.code != exitOK && args[0] != "doctor" {
			t.Errorf("%q exits %d:\n%s%s", args, r.code, r.stdout, r.stderr)
		}
		if args[0] == "restore" && len(args) == 2 {
			before = "1|f" // the dump's
		}
		if after := hits(); after != before {
			t.Errorf("%q executes the cast", args)
			before = after
		}
	}
}
