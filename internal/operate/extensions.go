package operate

import (
	"context"
	"encoding/json"

	"sessiondbd/internal/postgres"
)

// Extensions are those of the database in service, by name, with their schemas. Where there is none, there are no extensions.
func Extensions(ctx context.Context, t postgres.Target) (map[string]string, error) {
	c, err := t.ConnectSession(ctx)
	if postgres.IsNoDatabase(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer c.CloseSoon()
	var got []struct {
		Name   string `json:"extname"`
		Schema string `json:"nspname"`
	}
	q := postgres.Query{Name: "the extensions", SQL: "SELECT e.extname, n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace", Into: &got}
	if err := c.Ask(ctx, []postgres.Query{q}); err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, e := range got {
		all[e.Name] = e.Schema
	}
	return all, nil
}

// Untrusted are those of some extensions that the owner of a database cannot make on this server: only an administrator may, or
// nobody, since they are not there.
func Untrusted(ctx context.Context, c *postgres.Conn, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	list, err := json.Marshal(names)
	if err != nil {
		return nil, err
	}
	var got []struct {
		Name string `json:"name"`
	}
	q := postgres.Query{Name: "the extensions that there are", Args: []string{string(list)}, Into: &got, SQL: `SELECT DISTINCT w.name FROM pg_catalog.json_array_elements_text($1::pg_catalog.json) w (name)
		WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_available_extension_versions v WHERE v.name = w.name AND (v.trusted OR NOT v.superuser)) ORDER BY 1`}
	if err := c.Ask(ctx, []postgres.Query{q}); err != nil {
		return nil, err
	}
	var all []string
	for _, e := range got {
		all = append(all, e.Name)
	}
	return all, nil
}
