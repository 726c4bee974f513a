"""The documentation's psycopg2 example. PG* variables override the documented values."""
import json
import os
import sys

import psycopg2

conn = psycopg2.connect(
    host=os.environ.get("PGHOST", "10.1.0.1"),
    port=int(os.environ.get("PGPORT", "5432")),
    database=os.environ.get("PGDATABASE", "sessiondb"),
    user=os.environ.get("PGUSER", "sessionuser"),
    password=os.environ.get("PGPASSWORD", "sessionpass123"),
)
cur = conn.cursor()

# Insert a new session
cur.execute("""
    INSERT INTO session (messages, inbox_status, sbx_config)
    VALUES (%s, %s, %s)
    RETURNING id
""", (
    json.dumps({"msg": "Hello"}),
    "pending",
    json.dumps({"config": "value"}),
))
session_id = cur.fetchone()[0]
print(f"Created session: {session_id}")

# Query sessions
cur.execute("SELECT id, messages FROM session WHERE inbox_status = %s", ("pending",))
mine = [messages for row_id, messages in cur.fetchall() if row_id == session_id]
if mine != [{"msg": "Hello"}]:
    sys.exit(f"session {session_id}: read back {mine}")

conn.commit()
cur.close()
conn.close()
print(f"OK psycopg2 {session_id}")
