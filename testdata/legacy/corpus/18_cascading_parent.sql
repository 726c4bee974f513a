-- must be refused: schema/session_parent_fkey: children that go with their parent are another meaning
ALTER TABLE session DROP CONSTRAINT session_parent_fkey, ADD CONSTRAINT session_parent_fkey FOREIGN KEY (parent) REFERENCES session (id) ON DELETE CASCADE;
