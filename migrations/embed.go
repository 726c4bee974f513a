// Package migrations holds the SQL that makes the session database, as the binary carries it.
package migrations

import "embed"

// Files holds the migrations, NNNN_name.sql.
//
//go:embed *.sql
var Files embed.FS

// Catalogue is the expected catalogue: what a database holds after the last migration. A test generates it from them
// (`go test ./internal/schema -tags integration -run Catalogue -update`).
//
//go:embed catalogue.json
var Catalogue []byte
