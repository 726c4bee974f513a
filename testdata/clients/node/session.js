// The documentation's node pg example. PG* variables override the documented values.
const { Pool } = require('pg');

const pool = new Pool({
  host: process.env.PGHOST || '10.1.0.1',
  port: Number(process.env.PGPORT || 5432),
  database: process.env.PGDATABASE || 'sessiondb',
  user: process.env.PGUSER || 'sessionuser',
  password: process.env.PGPASSWORD || 'sessionpass123',
});

// Insert a new session
async function createSession() {
  const result = await pool.query(
    'INSERT INTO session (messages, inbox_status, sbx_config) VALUES ($1, $2, $3) RETURNING id',
    [
      { msg: 'Hello' },
      'pending',
      { config: 'value' },
    ],
  );
  console.log('Created session:', result.rows[0].id);
  return result.rows[0].id;
}

// Query sessions
async function getSessions(id) {
  const result = await pool.query(
    'SELECT * FROM session WHERE inbox_status = $1',
    ['pending'],
  );
  const mine = result.rows.find((row) => row.id === id);
  if (!mine || mine.messages.msg !== 'Hello' || !(mine.created_at instanceof Date)) {
    throw new Error(`session ${id}: read back ${JSON.stringify(mine)}`);
  }
  return id;
}

createSession()
  .then(getSessions)
  .then((id) => console.log('OK node', id))
  .catch((err) => {
    console.error(err.message);
    process.exitCode = 1;
  })
  .finally(() => pool.end());
