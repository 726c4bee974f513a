-- must be adopted: the foreign key was added without looking at the rows, which are all right
ALTER TABLE session DROP CONSTRAINT session_parent_fkey;
ALTER TABLE session ADD CONSTRAINT session_parent_fkey FOREIGN KEY (parent) REFERENCES session (id) NOT VALID;
