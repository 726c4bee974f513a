-- must be adopted: the index on inbox_status was dropped; it is built beside writers
DROP INDEX idx_session_inbox_status;
