-- must be adopted: half of the timestamps are NULL, some rows lack both
ALTER TABLE session DISABLE TRIGGER update_session_updated_at;
UPDATE session SET created_at = NULL WHERE left(id::text, 1) < '8';
UPDATE session SET updated_at = NULL WHERE left(id::text, 1) IN ('0', '2', '4', 'a', 'c');
ALTER TABLE session ENABLE TRIGGER update_session_updated_at;
