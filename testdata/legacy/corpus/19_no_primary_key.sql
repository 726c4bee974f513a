-- must be refused: schema/session_pkey: rows without an identity may be there twice
ALTER TABLE session DROP CONSTRAINT session_pkey CASCADE;
