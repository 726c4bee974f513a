-- must be adopted: the index on parent was dropped; it is built beside writers
DROP INDEX idx_session_parent;
