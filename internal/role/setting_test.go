package role

import (
	"strings"
	"testing"
)

// spelled has the server hold a declared setting in other words.
func spelled(text string) change {
	return all(without("temp_file_limit"), setting("sessionuser", "sessiondb", "temp_file_limit="+text))
}

// timeout declares one, and has the server hold it in some words.
func timeout(text string) change {
	return all(spec(func(s *Spec) { s.Defaults = append(s.Defaults, Default{"statement_timeout", "90s"}) }), setting("sessionuser", "sessiondb", "statement_timeout="+text))
}

const limited = `ALTER ROLE "sessionuser" IN DATABASE "sessiondb" SET "temp_file_limit" = '256MB'`

var settingDrifts = []drift{
	// undeclared
	{
		"a setting", setting("sessionuser", "", "search_path=evil, public"), setting("other", "", "search_path=evil"),
		[]string{`role/sessionuser delete search_path in all databases [evil, public→]: ALTER ROLE "sessionuser" RESET "search_path"`},
	},
	{
		"a setting in the database", setting("sessionuser", "sessiondb", "application_name=\x1b[2J"), setting("other", "sessiondb", "application_name=\x1b[2J"),
		[]string{`role/sessionuser delete application_name ["\x1b[2J"→]: ALTER ROLE "sessionuser" IN DATABASE "sessiondb" RESET "application_name"`},
	},
	{
		"a setting in another database", setting("sessionuser", `o"ther`, "role=dba"), nothing,
		[]string{`role/sessionuser delete role in database o"ther [dba→]: ALTER ROLE "sessionuser" IN DATABASE "o""ther" RESET "role"`},
	},
	{
		"one with a weird name", setting("sessionuser", "sessiondb", `my."name=x=y`), nothing,
		[]string{`role/sessionuser delete "my.\"name" [x=y→]: ALTER ROLE "sessionuser" IN DATABASE "sessiondb" RESET "my.""name"`},
	},
	{
		"a long one", setting("sessionuser", "", "application_name="+strings.Repeat("a", 81)), nothing,
		[]string{`role/sessionuser delete application_name in all databases [` + strings.Repeat("a", 80) + `…→]: ALTER ROLE "sessionuser" RESET "application_name"`},
	},
	{
		"one that no server knows", all(setting("sessionuser", "sessiondb", "gone=1"), func(_ *Want, o *Observation) { o.Unknown = []string{"gone"} }), func(_ *Want, o *Observation) { o.Unknown = []string{"gone"} },
		[]string{`role/sessionuser delete gone [1→]: ALTER ROLE "sessionuser" IN DATABASE "sessiondb" RESET ALL; ` + limited + `; ALTER ROLE "sessionuser" IN DATABASE "sessiondb" SET "sessiondbd.declared" = 'yes'`},
	},
	{
		"one that no server knows, everywhere", all(setting("sessionuser", "", "gone=1"), func(_ *Want, o *Observation) { o.Unknown = []string{"gone"} }), nothing,
		[]string{`role/sessionuser delete gone in all databases [1→]: ALTER ROLE "sessionuser" RESET ALL`},
	},

	// declared
	{
		"a limit is missing", without("temp_file_limit"), all(without("temp_file_limit"), spec(func(s *Spec) { s.Defaults = nil })),
		[]string{`role/sessionuser create temp_file_limit [→256MB]: ` + limited},
	},
	{
		"a limit is another", spelled("257MB"), spelled("262144kB"),
		[]string{`role/sessionuser update temp_file_limit [257MB→256MB]: ` + limited},
	},
	{
		"a limit is lifted", spelled("-1"), spelled("262144"),
		[]string{`role/sessionuser update temp_file_limit [-1→256MB]: ` + limited},
	},
	{
		"a limit in a unit that means nothing", spelled("256mb"), spelled(" 256 MB "),
		[]string{`role/sessionuser update temp_file_limit [256mb→256MB]: ` + limited},
	},
	{
		"an octal number", spelled("0262144"), spelled("262144kB"),
		[]string{`role/sessionuser update temp_file_limit [0262144→256MB]: ` + limited},
	},
	{
		"a limit beyond int", spelled("99999999999999999999"), spelled("256MB"),
		[]string{`role/sessionuser update temp_file_limit [99999999999999999999→256MB]: ` + limited},
	},
	{
		"a timeout is another", timeout("90"), timeout("90000"),
		[]string{`role/sessionuser update statement_timeout [90→90s]: ALTER ROLE "sessionuser" IN DATABASE "sessiondb" SET "statement_timeout" = '90s'`},
	},
	{
		"a timeout is longer", timeout("2min"), timeout("90000ms"),
		[]string{`role/sessionuser update statement_timeout [2min→90s]: ALTER ROLE "sessionuser" IN DATABASE "sessiondb" SET "statement_timeout" = '90s'`},
	},
	{
		"a limit for another database", setting("sessionuser", "other", "temp_file_limit=256MB"), nothing,
		[]string{`role/sessionuser delete temp_file_limit in database other [256MB→]: ALTER ROLE "sessionuser" IN DATABASE "other" RESET "temp_file_limit"`},
	},
	{
		"the mark", without("sessiondbd.declared"), second,
		[]string{`role/sessionuser create sessiondbd.declared [→yes]: ALTER ROLE "sessionuser" IN DATABASE "sessiondb" SET "sessiondbd.declared" = 'yes'`},
	},

	// other people's
	{
		"the database has one", setting("", "sessiondb", "timezone=Asia/Kathmandu"), setting("", "other", "timezone=Asia/Kathmandu"),
		[]string{`database/sessiondb warning: every session in it starts with timezone=Asia/Kathmandu, which the config does not declare → sudo -u postgres psql -d sessiondb -c 'ALTER DATABASE "sessiondb" RESET "timezone"'`},
	},
	{
		"every role has one", setting("", "", "work_mem=1GB"), setting("other", "", "work_mem=1GB"),
		[]string{`database/sessiondb warning: every session on this server starts with work_mem=1GB, which the config does not declare → sudo -u postgres psql -d sessiondb -c 'ALTER ROLE ALL RESET "work_mem"'`},
	},
	{
		"a role that is declared no longer", former("reader", true), setting("reader", "sessiondb", "work_mem=1GB"),
		[]string{`role/reader warning: the config no longer declares it: it may log in and keeps its rights, and nothing of it is looked after → to drop it, its objects becoming the owner's: sudo -u postgres psql -d sessiondb -c 'REASSIGN OWNED BY "reader" TO "sessiondb_owner"; DROP OWNED BY "reader"; DROP ROLE "reader"'
to lock it: sudo -u postgres psql -d sessiondb -c 'ALTER ROLE "reader" NOLOGIN'
to keep it as a role of your own: sudo -u postgres psql -d sessiondb -c 'ALTER ROLE "reader" IN DATABASE "sessiondb" RESET "sessiondbd.declared"'`},
	},
}

func former(name string, login bool) change {
	return func(_ *Want, o *Observation) { o.Former = append(o.Former, Former{name, login}) }
}

// What is asked in a second round trip only: names of what is to be reset, and who bears the mark of a role that left.
func TestSecondQuestions(t *testing.T) {
	for _, tt := range []struct {
		name              string
		change            change
		strayed, departed bool
	}{
		{"converged", nothing, false, false},
		{"a limit to be set", without("temp_file_limit"), false, false},
		{"a setting to be reset", setting("sessionuser", "", "work_mem=1"), true, false},
		{"somebody else's", setting("other", "", "work_mem=1"), false, false},
		{"a role that left", setting("reader", "sessiondb", "sessiondbd.declared=yes"), false, true},
		{"a role of another host's database", setting("reader", "other", "sessiondbd.declared=yes"), false, false},
	} {
		w, o := declared(), converged()
		tt.change(&w, &o)
		if s, m := o.strayed(w), len(o.marked(w)) > 0; s != tt.strayed || m != tt.departed {
			t.Errorf("%s: asks for names %t, for roles %t", tt.name, s, m)
		}
	}
}
