#!/bin/sh
# The documentation's psql example, with its useful queries. PG* variables override the documented values.
set -eu
export PGHOST="${PGHOST:-10.1.0.1}" PGPORT="${PGPORT:-5432}" PGDATABASE="${PGDATABASE:-sessiondb}"
export PGUSER="${PGUSER:-sessionuser}" PGPASSWORD="${PGPASSWORD:-sessionpass123}"
id=$(psql -XqAt -v ON_ERROR_STOP=1 <<'SQL'
INSERT INTO session (messages, inbox_status, sbx_config)
VALUES ('{"msg": "Hello"}', 'pending', '{"config": "value"}')
RETURNING id;
SQL
)
echo "Created session: $id"
psql -X -v ON_ERROR_STOP=1 <<'SQL'
SELECT * FROM session ORDER BY created_at DESC LIMIT 20;
SELECT inbox_status, COUNT(*) FROM session GROUP BY inbox_status;
SQL
found=$(psql -XqAt -v ON_ERROR_STOP=1 -v id="$id" <<'SQL'
SELECT messages->>'msg' FROM session WHERE inbox_status = 'pending' AND id = :'id' AND created_at IS NOT NULL;
SQL
)
[ "$found" = Hello ] || { echo "session $id: read back '$found'" >&2; exit 1; }
echo "OK psql $id"
