-- must be refused: schema/session_parent_fkey: rows whose parent does not exist, which no foreign key kept out
ALTER TABLE session DROP CONSTRAINT session_parent_fkey;
ALTER TABLE session DISABLE TRIGGER update_session_updated_at;
UPDATE session SET parent = 'ffffffff-ffff-4fff-8fff-ffffffffffff' WHERE id = (SELECT min(id::text)::uuid FROM session);
ALTER TABLE session ENABLE TRIGGER update_session_updated_at;
