//go:build integration

package main

import (
	"fmt"
	"strings"
	"testing"

	"sessiondbd/internal/lab"
)

// What an administrator gave to others, and set for the database, is there after a restore as it was before.
func TestRestoreCarriesOver(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	s.insert()
	s.sql("sessiondb", `CREATE ROLE "graf ana" LOGIN; CREATE ROLE other; GRANT CONNECT ON DATABASE sessiondb TO "graf ana"; GRANT TEMPORARY ON DATABASE sessiondb TO "graf ana" WITH GRANT OPTION;
		GRANT SELECT ON session TO "graf ana"; GRANT UPDATE (messages) ON session TO "graf ana"; CREATE VIEW latest AS SELECT id FROM session; GRANT SELECT ON latest TO other;
		ALTER DATABASE sessiondb SET timezone = 'Europe/Berlin'; ALTER DATABASE sessiondb SET search_path = "$user", public, "odd name";
		ALTER DATABASE sessiondb SET statement_timeout = '1ms'; ALTER DATABASE sessiondb SET my.own = 'a '' b'; ALTER DATABASE sessiondb CONNECTION LIMIT 90; COMMENT ON DATABASE sessiondb IS E'it''s \\\\ ours';
		ALTER ROLE "graf ana" IN DATABASE sessiondb SET work_mem = '8MB'`)
	look := func() string {
		return s.sql("postgres", `SET search_path = pg_catalog; SELECT datconnlimit, shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'sessiondb';
			SELECT pg_get_userbyid(grantee), privilege_type, is_grantable FROM pg_database, aclexplode(datacl) WHERE datname = 'sessiondb' ORDER BY 1, 2;
			SELECT setrole::regrole, c FROM pg_db_role_setting, unnest(setconfig) c WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = 'sessiondb') ORDER BY 1, 2`) +
			s.sql("sessiondb", `SET statement_timeout = 0; SELECT has_table_privilege('graf ana', 'public.session', 'SELECT'), has_column_privilege('graf ana', 'public.session', 'messages', 'UPDATE'),
			has_table_privilege('graf ana', 'public.session', 'DELETE'), has_table_privilege('other', 'public.latest', 'SELECT')`)
	}
	before, plan := look(), s.run("plan")
	for _, form := range []string{"-Fc", "-Fp"} {
		s.want(exitOK, []string{"restore", s.dumped("it"+form, form)}, "50 sessions")
		if after := look(); after != before {
			t.Errorf("%s: before\n%s\nafter\n%s", form, before, after)
		}
		if after := s.run("plan"); after.code != plan.code {
			t.Errorf("%s: plan exits %d, did %d\n%s", form, after.code, plan.code, after.stdout)
		}
	}
}

// Text is sorted as before, on every version with whatever its providers of locales are.
func TestRestoreCarriesLocale(t *testing.T) {
	t.Parallel()
	from := newSite(t, lab.ClusterOptions{}) // Debian has pg_dump 15 alone, which dumps servers up to its own version
	from.apply()
	from.insert()
	path := from.dumped("it.sql")
	for _, major := range lab.Majors() {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			bindir := lab.BindirT(t, major)
			s := newSite(t, lab.ClusterOptions{Bindir: bindir})
			locales := []string{"LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'"}
			if major >= 15 {
				locales = append(locales, "LOCALE_PROVIDER icu ICU_LOCALE 'de-u-co-phonebk' LOCALE 'C.UTF-8'")
			}
			if major >= 17 {
				locales = append(locales, "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'")
			}
			for i, locale := range locales {
				s.sql("postgres", "DROP DATABASE IF EXISTS sessiondb")
				s.sql("postgres", "CREATE DATABASE sessiondb TEMPLATE template0 ENCODING 'UTF8' "+locale)
				s.want(exitOK, []string{"apply", "--accept-new-database"})
				const have = "SELECT to_jsonb(d) - ARRAY['oid', 'datfrozenxid', 'datminmxid', 'dattablespace', 'datacl', 'datlastsysoid'] FROM pg_database d WHERE datname = 'sessiondb'"
				before := s.sql("postgres", have)
				s.want(exitOK, []string{"restore", path}, "sessions")
				if after := s.sql("postgres", have); after != before || i == 0 && !strings.Contains(after, `"datcollate": "C"`) {
					t.Errorf("%s: before\n%s\nafter\n%s", locale, before, after)
				}
			}
		})
	}
}

// An extension that only an administrator may make is made again, if one has made it in the database in service; a dump alone
// gets none.
func TestRestoreExtensions(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	s.insert()
	s.sql("sessiondb", `CREATE SCHEMA "Odd one"; CREATE EXTENSION pg_stat_statements SCHEMA "Odd one"; CREATE EXTENSION pgcrypto; CREATE EXTENSION "uuid-ossp"`)
	const have = "SELECT e.extname, n.nspname, pg_get_userbyid(e.extowner) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY 1"
	before := s.sql("sessiondb", have)
	path := s.dumped("it.sql")
	for range 2 {
		s.want(exitOK, []string{"restore", "--dry-run", path}, "50 sessions")
		s.want(exitOK, []string{"restore", path}, "50 sessions")
	}
	after := s.sql("sessiondb", have)
	if want := strings.ReplaceAll(before, "pgcrypto|public|postgres", "pgcrypto|public|sessiondb_owner"); after != strings.ReplaceAll(want, "uuid-ossp|public|postgres", "uuid-ossp|public|sessiondb_owner") {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	s.sql("sessiondb", "DROP EXTENSION pg_stat_statements")
	rows := s.rows()
	s.want(exitRefused, []string{"restore", path}, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements", "permission denied", "psql -c 'CREATE EXTENSION \"pg_stat_statements\"' sessiondb", "as it was")
	s.want(exitRefused, []string{"restore", "--dry-run", path}, "psql -c 'CREATE EXTENSION \"pg_stat_statements\"' sessiondb")
	if s.rows() != rows {
		t.Error("rows are not as they were")
	}
}
