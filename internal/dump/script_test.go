package dump

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pieces reads a script to its end; rows of a COPY are shown after an arrow.
func pieces(t *testing.T, text string) ([]string, error) {
	t.Helper()
	s := NewScript(strings.NewReader(text))
	var all []string
	for {
		p, err := s.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		if p.Rows {
			rows, err := io.ReadAll(s.Rows())
			if err != nil {
				return all, err
			}
			p.Text += "→" + string(rows)
		}
		all = append(all, p.Text)
	}
}

func TestScript(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"comments only", "-- a\n/* b /* c */ ; */\n\n--", nil},
		{"two on a line", "SELECT 1; SELECT 2;", []string{"SELECT 1;", "SELECT 2;"}},
		{"a comment inside", "SELECT 1 -- ; no\n + 2 /* ; */;", []string{"SELECT 1 -- ; no\n + 2 /* ; */;"}},
		{"a string", `SELECT 'a;''b;\';`, []string{`SELECT 'a;''b;\';`}},
		{"a string with escapes", `SELECT E'a\';b', fe'c\';`, []string{`SELECT E'a\';b', fe'c\';`}},
		{"a name", `SELECT "a;""b";`, []string{`SELECT "a;""b";`}},
		{"dollars", "SELECT $$a;'$x$b$$, $x$ $$; $x$;", []string{"SELECT $$a;'$x$b$$, $x$ $$; $x$;"}},
		{"parameters and names with dollars", "SELECT $1, a$b$c; SELECT 2;", []string{"SELECT $1, a$b$c;", "SELECT 2;"}},
		{"a rule", "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);", []string{"CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2);"}},
		{
			"a body in SQL", "CREATE OR REPLACE FUNCTION f() RETURNS int\nBEGIN ATOMIC\n SELECT CASE WHEN true THEN 1 END;\n SELECT 2;\nEND;\nSELECT 3;",
			[]string{"CREATE OR REPLACE FUNCTION f() RETURNS int\nBEGIN ATOMIC\n SELECT CASE WHEN true THEN 1 END;\n SELECT 2;\nEND;", "SELECT 3;"},
		},
		{
			"begin as a name", "CREATE FUNCTION public.dur(begin timestamptz) RETURNS int\n AS $$SELECT 1$$;\nALTER FUNCTION public.dur(begin timestamptz) OWNER TO a;\nCOMMENT ON FUNCTION begin(begin int) IS 'x';\nGRANT ALL ON FUNCTION begin() TO b;\nCREATE PROCEDURE begin.atomic() LANGUAGE sql AS 'x';\nCREATE FUNCTION begin() RETURNS begin LANGUAGE sql AS 'x';\nSELECT 1;",
			[]string{
				"CREATE FUNCTION public.dur(begin timestamptz) RETURNS int\n AS $$SELECT 1$$;", "ALTER FUNCTION public.dur(begin timestamptz) OWNER TO a;", "COMMENT ON FUNCTION begin(begin int) IS 'x';",
				"GRANT ALL ON FUNCTION begin() TO b;", "CREATE PROCEDURE begin.atomic() LANGUAGE sql AS 'x';", "CREATE FUNCTION begin() RETURNS begin LANGUAGE sql AS 'x';", "SELECT 1;",
			},
		},
		{
			"begin as a name, and a body", "create function f(begin int) returns begin begin atomic\n select (case when true then begin end);\n select case begin when 1 then 2 end; end;\nCREATE TRIGGER t AFTER INSERT ON b EXECUTE FUNCTION begin();",
			[]string{"create function f(begin int) returns begin begin atomic\n select (case when true then begin end);\n select case begin when 1 then 2 end; end;", "CREATE TRIGGER t AFTER INSERT ON b EXECUTE FUNCTION begin();"},
		},
		{"transactions", "BEGIN; SELECT 1; END;", []string{"BEGIN;", "SELECT 1;", "END;"}},
		{"commands for psql", "\\connect a b\nSELECT 1;\n  \\x\n", []string{`\connect a b`, "SELECT 1;", `\x`}},
		{"rows", "COPY public.t (a, b) FROM stdin;\n1\t\\connect\n;'$$\n\\\\.\n\\.\nSELECT 1;", []string{"COPY public.t (a, b) FROM stdin;→1\t\\connect\n;'$$\n\\\\.\n", "SELECT 1;"}},
		{"no rows", "COPY t FROM stdin;\n\\.\n\\.\n", []string{"COPY t FROM stdin;→", `\.`}},
		{"rows from Windows", "COPY t FROM stdin;\r\na\r\n\\.\r\n", []string{"COPY t FROM stdin;→a\r\n"}},
		{"a COPY without rows", "COPY t FROM '/etc/passwd'; COPY t TO stdout;", []string{"COPY t FROM '/etc/passwd';", "COPY t TO stdout;"}},
	} {
		got, err := pieces(t, tt.text)
		if err != nil || cmp.Diff(tt.want, got) != "" {
			t.Errorf("%s: %v %s", tt.name, err, cmp.Diff(tt.want, got))
		}
	}
}

// What is longer than a buffer comes whole.
func TestScriptLong(t *testing.T) {
	row := strings.Repeat("x", 3<<20)
	got, err := pieces(t, "COPY t FROM stdin;\n"+row+"\n\\.\nSELECT '"+row+"';")
	if want := []string{"COPY t FROM stdin;→" + row + "\n", "SELECT '" + row + "';"}; err != nil || !cmp.Equal(want, got) {
		t.Errorf("%v, %d pieces", err, len(got))
	}
}

// A file that ends too early is never taken for a whole one.
func TestScriptCutOff(t *testing.T) {
	for _, text := range []string{"SELECT 1", "SELECT 'a;", "SELECT $$a;", `SELECT "a;`, "SELECT 1 /* ;", "/* a", "COPY t FROM stdin;\n1\n", "COPY t FROM stdin;\n1", "COPY t FROM stdin;\n", "COPY t FROM stdin;"} {
		if got, err := pieces(t, text); !errors.Is(err, ErrCutOff) {
			t.Errorf("%q: %v %q", text, err, got)
		}
	}
	if _, err := pieces(t, "SELECT 1 \\gexec\n"); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a command inside a statement: %v", err)
	}
}

const (
	head = "--\n-- PostgreSQL database dump\n--\n\n"
	tail = "\n--\n-- PostgreSQL database dump complete\n--\n"
)

func TestInspect(t *testing.T) {
	const table = "CREATE TABLE public.session (id int);\n"
	session := table + "COPY public.session (id) FROM stdin;\n1\n2\n\\.\n"
	for _, tt := range []struct {
		name, text string
		want       Loaded
		err        string
	}{
		{"whole", head + session + "COPY sessiondbd.migrations (id) FROM stdin;\n1\n\\.\nCOPY public.notes FROM stdin;\n1\n\\.\n" + tail, Loaded{Filled: true, Sessions: 2, Others: 1}, ""},
		{"inserts of several rows", head + table + "INSERT INTO public.session (id) VALUES\n (1),\n (f(2, ('('))),\n\t(3) ON CONFLICT (id) DO NOTHING;\nINSERT INTO public.session DEFAULT VALUES;\n" + tail, Loaded{Filled: true, Sessions: 4}, ""},
		{"of another database", head + "CREATE TABLE public.sessions (id int);\nCREATE TABLE other.session (id int);" + tail, Loaded{}, "no table session"},
		{"rows alone", head + "COPY public.session (id) FROM stdin;\n1\n\\.\n" + tail, Loaded{Filled: true, Sessions: 1}, "--data-only"},
		{"without the type", head + "CREATE TABLE public.session (s public.inbox_status_enum);" + tail, Loaded{}, "inbox_status_enum"},
		{"with the type", head + "CREATE TYPE public.inbox_status_enum AS ENUM ('a');CREATE TABLE public.session (s public.inbox_status_enum);" + tail, Loaded{}, ""},
		{"no sessions", head + table + "COPY public.session (id) FROM stdin;\n\\.\n" + tail, Loaded{Filled: true}, ""},
		{"no place for sessions", head + "CREATE TABLE public.session (id int);\n" + tail, Loaded{}, ""},
		{"quoted, with rights and owners", head + "CREATE TABLE IF NOT EXISTS \"public\".\"session\"(id int);\nSET a = 1;\nALTER TABLE \"public\".\"session\" OWNER TO \"x y\";\nGRANT ALL ON a TO b;\nCOPY \"public\".\"session\" FROM stdin;\n1\n\\.\n" + tail, Loaded{Filled: true, Sessions: 1, Owned: []Owned{{"TABLE", `"public"."session"`, "x y"}}}, ""},
		{"inserts", head + table + "INSERT INTO public.session VALUES (1);\nINSERT INTO public.session VALUES (2);\n" + tail, Loaded{Filled: true, Sessions: 2}, ""},
		{"with the database", head + "DROP DATABASE a;\nCREATE DATABASE a;\nALTER DATABASE a OWNER TO b;\n\\connect a\nALTER ROLE \"x y\" IN DATABASE a SET b TO 'c';\n" + session + tail, Loaded{Filled: true, Sessions: 2}, ""},
		{"guarded", head + "\\restrict abc\n" + session + "\\unrestrict abc\n" + tail, Loaded{Filled: true, Sessions: 2}, ""},
		{"of nobody known", session, Loaded{Filled: true, Sessions: 2, Notes: []string{"the file does not say that pg_dump wrote it: whether it is whole cannot be told"}}, ""},
		{"cut off between statements", head + session, Loaded{Filled: true, Sessions: 2}, "cut off"},
		{"two databases", head + "\\connect a\n" + session + "\\connect b\n" + tail, Loaded{Filled: true, Sessions: 2}, "several databases"},
		{"a program", head + "\\! rm -rf /\n" + tail, Loaded{}, `line 5: \!`},
		{"a whole server", "--\n-- PostgreSQL database cluster dump\n--\n" + session, Loaded{Filled: true, Sessions: 2}, "whole server"},
		{"roles", head + "CREATE ROLE a;" + tail, Loaded{}, "pg_dumpall"},
		{"somebody else", head + "SET  ROLE\npostgres;" + tail, Loaded{}, "line 5: SET ROLE"},
		{"somebody else, too", head + "reset role;" + tail, Loaded{}, "who executes"},
		{"who gave a right", head + "SET SESSION AUTHORIZATION a;\nGRANT ALL ON b TO c;\nRESET SESSION AUTHORIZATION;\n" + session + tail, Loaded{Filled: true, Sessions: 2}, ""},
		{
			"what needs an administrator", head + table + "CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert');\nCREATE SUBSCRIPTION s CONNECTION 'password=geheim' PUBLICATION p;\nCREATE EVENT TRIGGER t ON sql_drop\n   EXECUTE FUNCTION public.f();\nCOMMENT ON EVENT TRIGGER t IS 'x';" + tail, Loaded{Notes: []string{
				"line 6, left out, since an administrator has to want it: CREATE PUBLICATION p FOR ALL TABLES WITH (publish = 'insert');",
				"line 7, left out, since an administrator has to want it: CREATE SUBSCRIPTION s CONNECTION … (see the file)",
				"line 8, left out, since an administrator has to want it: CREATE EVENT TRIGGER t ON sql_drop EXECUTE FUNCTION public.f();",
			}}, "",
		},
		{"taken back", head + "rollback;" + tail, Loaded{}, "take anything back"},
	} {
		got, err := Inspect(t.Context(), NewScript(strings.NewReader(tt.text)))
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) || cmp.Diff(tt.want, got) != "" {
			t.Errorf("%s: %v %s", tt.name, err, cmp.Diff(tt.want, got))
		}
	}
}

// Each rule has a neighbour that it does not mean.
func TestJudge(t *testing.T) {
	for text, want := range map[string]verdict{
		"ALTER TABLE a OWNER TO b;": ignore, "ALTER TABLE a ADD COLUMN owner int;": execute, "ALTER TABLE a ALTER b SET DEFAULT ' OWNER TO ';": execute,
		"GRANT a TO b;": grant, "GRANTED;": execute, "SET SESSION AUTHORIZATION a;": ignore, "SET LOCAL SESSION AUTHORIZATION a;": refuse,
		"CREATE SCHEMA public;": ignore, "CREATE SCHEMA publicity;": execute, `CREATE SCHEMA "public";`: ignore,
		"DROP TABLE a;": ignore, "DROPLET;": execute,
		"COMMENT ON EXTENSION plpgsql IS 'x';": ignore, "COMMENT ON TABLE a IS 'x';": execute,
		"SET a = 1;": tolerate, "SETTLE;": execute, "SET LOCAL ROLE a;": refuse, "SET role_x = 1;": tolerate,
		"CREATE PUBLICATION a FOR ALL TABLES;": leave, `CREATE PUBLICATION "a ""b" FOR ALL TABLES;`: leave, "CREATE PUBLICATION a WITH (publish = 'FOR ALL TABLES');": execute, "CREATE PUBLICATION a FOR TABLE b;": execute,
		"ALTER PUBLICATION a ADD TABLE ONLY b;": tolerate, "ALTER PUBLICATION a ADD TABLES IN SCHEMA b;": leave, "ALTER PUBLICATION a OWNER TO b;": ignore,
		"CREATE SUBSCRIPTION a;": leave, "ALTER SUBSCRIPTION a OWNER TO b;": ignore, "CREATE EVENT TRIGGER a;": leave, "ALTER EVENT TRIGGER a ENABLE ALWAYS;": leave, "ALTER EVENT TRIGGER a OWNER TO b;": ignore,
		"ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO a;": leave,
		"ALTER TABLE public.a ALTER COLUMN b DROP DEFAULT;":  ignore, `ALTER TABLE IF EXISTS "x y"."a.b" ALTER COLUMN "c d" DROP DEFAULT;`: ignore, "ALTER TABLE public.a ALTER COLUMN b SET DEFAULT 1;": execute, "ALTER TABLE public.a ALTER COLUMN b DROP NOT NULL;": execute,
		"ALTER TABLE ONLY public.a DROP CONSTRAINT b;": ignore, "ALTER TABLE ONLY public.a ADD CONSTRAINT b CHECK (true);": execute,
		"ALTER ROLE a IN DATABASE b SET c TO d;": ignore, "ALTER ROLE a SET c TO d;": refuse, "CREATE USER MAPPING FOR a SERVER b;": refuse,
		"COPY a FROM stdin;": execute, "CREATE TRIGGER a;": execute, "SELECT pg_catalog.set_config('search_path', '', false);": execute,
	} {
		if got, _ := judge(Piece{Text: text}); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}
