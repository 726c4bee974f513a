//go:build integration

package main

import (
	"fmt"
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
	const definer = `SELECT prosecdef FROM pg_proc WHERE proname = 'f'`
	paths := []string{s.dumped("it.sql"), s.dumped("it.dump", "-Fc")}
	s.sql("sessiondb", "DROP FUNCTION app.gone(); DROP ROLE gone")
	for _, path := range paths {
		s.want(exitOK, []string{"restore", path}, "50 sessions", `what role gone owned is sessiondb_owner's now (1 in all), since there is no such role here`, `ALTER FUNCTION "app"."root"() OWNER TO "root"`, `"app"."deputy"() OWNER TO "deputy"`)
		if after := s.sql("sessiondb", owners); after != before {
			t.Errorf("before\n%s\nafter\n%s", before, after)
		}
		if got := s.sql("sessiondb", "SELECT proname, proowner::regrole, prosecdef FROM pg_proc WHERE proname IN ('deputy', 'gone', 'root') ORDER BY 1"); got != "deputy|sessiondb_owner|f\ngone|sessiondb_owner|f\nroot|sessiondb_owner|f" {
			t.Errorf("functions of others: %s", got)
		}
		if got := s.sql("sessiondb", definer); got != "t" {
			t.Errorf("a function that the database in service had, too, is SECURITY DEFINER: %s", got)
		}
		if got := s.sql("sessiondb", `SET ROLE app; INSERT INTO app.x DEFAULT VALUES; SELECT count(*) FROM public.app_v`); got != "0" {
			t.Errorf("app reads %s", got)
		}
	}
}

// What code in a dump makes for itself gets nobody's rights: neither as a function, nor as a view or a rule.
func TestRestoreDisarms(t *testing.T) {
	t.Parallel()
	for _, major := range []int{14, 15} {
		t.Run(fmt.Sprint(major), func(t *testing.T) {
			t.Parallel()
			bin := lab.BindirT(t, major)
			s := newSite(t, lab.ClusterOptions{Bindir: bin})
			s.apply()
			s.insert()
			s.sql("sessiondb", `CREATE FUNCTION plants(n int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN
				IF current_database() LIKE '%\_restoring\_%' AND to_regprocedure('public.gift()') IS NULL THEN
					CREATE FUNCTION public.gift() RETURNS text SECURITY DEFINER LANGUAGE sql AS 'SELECT current_user::text';
					CREATE VIEW public.pane AS SELECT * FROM public.session;
					CREATE TABLE public.box (n int); CREATE RULE r AS ON INSERT TO public.box DO ALSO DELETE FROM public.session;
					GRANT ALL ON public.pane, public.box TO PUBLIC; GRANT USAGE, CREATE ON SCHEMA public TO PUBLIC;
				END IF; RETURN n; END $f$;
				CREATE TABLE planted (n int); INSERT INTO planted VALUES (1); ALTER TABLE planted ADD CHECK (plants(n) > 0);
				CREATE ROLE outsider; GRANT USAGE ON SCHEMA public TO outsider`)
			s.want(exitOK, []string{"restore", s.dumped("it.sql")}, "50 sessions", "public.gift() had the rights of its owner, sessiondb_owner, and has them no more", "public.pane", "r on public.box")
			if got := s.sql("sessiondb", "SET ROLE outsider; SELECT public.gift()"); got != "outsider" {
				t.Errorf("gift() is executed as %s", got)
			}
			if out, err := s.PSQL(t.Context(), "sessiondb", "SET ROLE outsider; SELECT count(*) FROM public.pane"); err == nil {
				t.Errorf("through the view are seen %s sessions", out)
			}
			s.sql("sessiondb", "SET ROLE outsider; INSERT INTO public.box VALUES (1)")
			if n := s.sql("sessiondb", "SELECT count(*) FROM session"); n != "50" {
				t.Errorf("by the rule all but %s sessions of 50 went", n)
			}
		})
	}
}
