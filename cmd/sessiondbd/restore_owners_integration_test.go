//go:build integration

package main

import (
	"testing"

	"sessiondbd/internal/lab"
)

// What belonged to somebody is his again; to administrators, and to who could become one, nothing is given, and nothing to who is
// not there. No function gets the rights of the owner that it did not have.
func TestRestoreOwners(t *testing.T) {
	t.Parallel()
	s := newSite(t, lab.ClusterOptions{})
	s.apply()
	s.insert()
	s.sql("sessiondb", `CREATE ROLE app; CREATE ROLE "odd app"; CREATE ROLE gone; CREATE ROLE boss CREATEROLE; CREATE ROLE deputy IN ROLE boss; CREATE ROLE root SUPERUSER;
		CREATE SCHEMA app AUTHORIZATION app; CREATE TABLE app.x (id serial PRIMARY KEY); ALTER TABLE app.x OWNER TO app; CREATE TABLE app_t (n int); ALTER TABLE app_t OWNER TO app;
		CREATE VIEW app_v AS SELECT * FROM app_t; ALTER VIEW app_v OWNER TO app; CREATE TABLE app."odd; one" (n int); ALTER TABLE app."odd; one" OWNER TO "odd app";
		CREATE FUNCTION app.f(begin int, VARIADIC "a b" text[]) RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION app.f OWNER TO app;
		CREATE FUNCTION app.gone() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION app.gone OWNER TO gone;
		CREATE FUNCTION app.deputy() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION app.deputy OWNER TO deputy;
		CREATE FUNCTION app.root() RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION app.root OWNER TO root; CREATE TYPE app.t AS ENUM ('a'); ALTER TYPE app.t OWNER TO app;
		CREATE TABLE vms (n int); ALTER TABLE vms OWNER TO sessionuser`)
	const owners = `SELECT relname, relowner::regrole FROM pg_class WHERE relnamespace IN ('app'::regnamespace, 'public'::regnamespace) AND relkind IN ('r', 'v', 'S') ORDER BY 1;
		SELECT nspname, nspowner::regrole FROM pg_namespace WHERE nspname IN ('app', 'public') ORDER BY 1; SELECT typname, typowner::regrole FROM pg_type WHERE typtype = 'e' ORDER BY 1; SELECT proname, proowner::regrole FROM pg_proc WHERE proname IN ('f', 'update_updated_at_column') ORDER BY 1`
	before := s.sql("sessiondb", owners)
	paths := []string{s.dumped("it.sql"), s.dumped("it.dump", "-Fc")}
	s.sql("sessiondb", "DROP FUNCTION app.gone(); DROP ROLE gone")
	for _, path := range paths {
		s.want(exitOK, []string{"restore", path}, "50 sessions", `what role gone owned is sessiondb_owner's now (1 in all), since there is no such role here`, `ALTER FUNCTION "app"."root"() OWNER TO "root"`, `"app"."deputy"() OWNER TO "deputy"`)
		if after := s.sql("sessiondb", owners); after != before {
			t.Errorf("before\n%s\nafter\n%s", before, after)
		}
		if got := s.sql("sessiondb", "SELECT proname, proowner::regrole, prosecdef FROM pg_proc WHERE proname IN ('deputy', 'gone', 'root') ORDER BY 1"); got != "deputy|sessiondb_owner|t\ngone|sessiondb_owner|f\nroot|sessiondb_owner|t" {
			t.Errorf("functions of others: %s", got)
		}
		if got := s.sql("sessiondb", `SET ROLE app; INSERT INTO app.x DEFAULT VALUES; SELECT count(*) FROM public.app_v`); got != "0" {
			t.Errorf("app reads %s", got)
		}
	}
}
