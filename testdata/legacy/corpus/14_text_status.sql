-- must be refused: schema/session.inbox_status: a text column may hold anything
DROP INDEX idx_session_inbox_status;
ALTER TABLE session ALTER inbox_status TYPE text;
UPDATE session SET inbox_status = 'archived' WHERE id = (SELECT min(id::text)::uuid FROM session);
