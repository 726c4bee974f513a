// Command pgx is the documentation's Go example; PG* variables override the documented values.
package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"

	"github.com/jackc/pgx/v5"
)

func main() {
	id, err := run(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("OK pgx", id)
}

func env(name, documented string) string { return cmp.Or(os.Getenv(name), documented) }

func run(ctx context.Context) (string, error) {
	u := url.URL{
		Scheme: "postgres",
		User:   url.UserPassword(env("PGUSER", "sessionuser"), env("PGPASSWORD", "sessionpass123")),
		Host:   net.JoinHostPort(env("PGHOST", "10.1.0.1"), env("PGPORT", "5432")),
		Path:   env("PGDATABASE", "sessiondb"),
	}
	conn, err := pgx.Connect(ctx, u.String())
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)

	// Insert a new session
	var sessionID string
	messages := map[string]string{"msg": "Hello"}
	sbxConfig := map[string]string{"config": "value"}
	err = conn.QueryRow(ctx,
		"INSERT INTO session (messages, inbox_status, sbx_config) VALUES ($1, $2, $3) RETURNING id",
		messages, "pending", sbxConfig).Scan(&sessionID)
	if err != nil {
		return "", err
	}
	fmt.Printf("Created session: %s\n", sessionID)

	// Query sessions
	rows, err := conn.Query(ctx, "SELECT id, messages, inbox_status FROM session WHERE inbox_status = $1", "pending")
	if err != nil {
		return "", err
	}
	defer rows.Close()
	found := false
	for rows.Next() {
		var id, status string
		var messages []byte
		if err := rows.Scan(&id, &messages, &status); err != nil {
			return "", err
		}
		found = found || id == sessionID && string(messages) == `{"msg": "Hello"}` && status == "pending"
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	if !found {
		return "", fmt.Errorf("session %s: not read back", sessionID)
	}
	return sessionID, nil
}
