-- must be adopted: the same indexes and the same constraint under other names
ALTER INDEX idx_session_parent RENAME TO session_parent_idx;
ALTER INDEX idx_session_inbox_status RENAME TO "Session Status";
ALTER TABLE session RENAME CONSTRAINT session_parent_fkey TO session_parent_id_fkey;
ALTER TABLE session RENAME CONSTRAINT session_pkey TO pk_session;
