-- must be adopted: an index that a broken build left invalid counts as missing
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_session_parent'::regclass;
