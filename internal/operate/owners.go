package operate

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"sessiondbd/internal/postgres"
)

// Belonging is an object that a dump gives to a role.
type Belonging struct{ Kind, What, Role string }

// harmless are the roles that may be given what a dump says. A function that is SECURITY DEFINER executes what is in the dump with
// the rights of its owner: never those of an administrator, or of who could become one.
const harmless = `SELECT r.rolname, NOT EXISTS (SELECT FROM pg_catalog.pg_roles s WHERE (s.rolsuper OR s.rolcreaterole OR s.rolreplication OR s.rolbypassrls OR pg_catalog.starts_with(s.rolname, 'pg_'))
	AND pg_catalog.pg_has_role(r.oid, s.oid, 'MEMBER')) AS harmless FROM pg_catalog.pg_roles r WHERE r.rolname IN (SELECT pg_catalog.json_array_elements_text($1::pg_catalog.json)) ORDER BY 1`

// GiveBack gives to roles what was theirs in the database that a dump is of, in place of the owner, who has got all of it. What
// it does not is returned, a note a role. c is an administrator's connection to the fresh database, which nobody else is in.
func (b Beside) GiveBack(ctx context.Context, c *postgres.Conn, owner string, all []Belonging) (notes []string, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	byRole := map[string][]Belonging{}
	for _, o := range all {
		byRole[o.Role] = append(byRole[o.Role], o)
	}
	names, err := json.Marshal(slices.Sorted(maps.Keys(byRole)))
	if err != nil {
		return nil, err
	}
	var roles []struct {
		Name     string `json:"rolname"`
		Harmless bool   `json:"harmless"`
	}
	if err := c.Ask(ctx, []postgres.Query{{Name: "the roles of the dump", SQL: harmless, Args: []string{string(names)}, Into: &roles}}); err != nil {
		return nil, err
	}
	if _, err := c.Run(ctx, "SET search_path = pg_catalog"); err != nil {
		return nil, err
	}
	may, there := map[string]bool{}, map[string]bool{}
	for _, r := range roles {
		there[r.Name], may[r.Name] = true, r.Harmless
	}
	for _, role := range slices.Sorted(maps.Keys(byRole)) {
		left, why := byRole[role], "it is an administrator, or may more than a dump is to"
		switch {
		case may[role]:
			why = "PostgreSQL refuses"
			left, err = give(ctx, c, left)
		case !there[role]:
			why = "there is no such role here"
		}
		if err != nil {
			return nil, err
		}
		if len(left) > 0 {
			notes = append(notes, fmt.Sprintf("what role %s owned is %s's now (%d in all), since %s; to give it back: %s", role, owner, len(left), why, left[0].give()))
		}
	}
	return notes, nil
}

func (o Belonging) give() string {
	return "ALTER " + o.Kind + " " + o.What + " OWNER TO " + postgres.QuoteIdent(o.Role)
}

// give gives each away, and returns those for which PostgreSQL refuses.
func give(ctx context.Context, c *postgres.Conn, all []Belonging) (refused []Belonging, err error) {
	for _, o := range all {
		if _, err := c.Run(ctx, o.give()); err != nil {
			if c.IsClosed() || ctx.Err() != nil {
				return nil, err
			}
			refused = append(refused, o)
		}
	}
	return refused, nil
}
