package dump

import "testing"

// Only what is wholly understood is read, and comes back in our words.
func TestOwnedBy(t *testing.T) {
	for sql, want := range map[string]Owned{
		"ALTER TABLE public.a OWNER TO b;":                                                {"TABLE", `"public"."a"`, "b"},
		`ALTER MATERIALIZED VIEW "x ""y"."a.b" OWNER TO "c d";`:                           {"MATERIALIZED VIEW", `"x ""y"."a.b"`, "c d"},
		"ALTER SCHEMA app OWNER TO app;":                                                  {"SCHEMA", `"app"`, "app"},
		`ALTER FUNCTION app.f(begin integer, VARIADIC "o;p" app."t;"[]) OWNER TO b;`:      {"FUNCTION", `"app"."f"(begin integer, VARIADIC "o;p" app."t;"[])`, "b"},
		"ALTER AGGREGATE app.f(*) OWNER TO b;":                                            {"AGGREGATE", `"app"."f"(*)`, "b"},
		"ALTER LARGE OBJECT 4711 OWNER TO b;":                                             {"LARGE OBJECT", "4711", "b"},
		"ALTER TABLE public.a OWNER TO b; DROP TABLE c;":                                  {},
		"ALTER TABLE public.a, public.b OWNER TO c;":                                      {},
		"ALTER TABLE public.a DROP COLUMN b, OWNER TO c;":                                 {},
		"ALTER TABLE public.a(b) OWNER TO c;":                                             {},
		"ALTER FUNCTION app.f OWNER TO c;":                                                {},
		"ALTER FUNCTION app.f(a int) SET x = '(' OWNER TO c;":                             {},
		"ALTER FUNCTION app.f(a int DEFAULT 'x') OWNER TO c;":                             {},
		"ALTER FUNCTION app.f(a int /* */) OWNER TO c;":                                   {},
		"ALTER FUNCTION app.f(a int -- \n) OWNER TO c;":                                   {},
		"ALTER TABLE public.a OWNER TO CURRENT_USER;":                                     {},
		"ALTER ROLE a OWNER TO b;":                                                        {},
		"ALTER OPERATOR public.+ (int, int) OWNER TO b;":                                  {},
		"ALTER TABLE public.a ALTER COLUMN b SET DEFAULT ' OWNER TO c;":                   {},
		"ALTER FUNCTION app.f(a int) OWNER TO b; ALTER FUNCTION app.f(a int) OWNER TO c;": {},
	} {
		if got, ok := ownedBy(sql); got != want || ok != (want != Owned{}) {
			t.Errorf("%s: %v, want %v", sql, got, want)
		}
	}
}
