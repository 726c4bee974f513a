-- must be adopted: extra columns, indexes, tables, views and grants beside it are left alone
ALTER TABLE session ADD tags text[] DEFAULT '{}', ADD note text;
CREATE INDEX session_by_time ON session (created_at DESC);
CREATE TABLE audit (session uuid REFERENCES session (id), what text);
INSERT INTO audit SELECT id, 'seen' FROM session LIMIT 20;
CREATE VIEW pending AS SELECT id, messages FROM session WHERE inbox_status = 'pending';
CREATE ROLE reporter;
GRANT SELECT ON session, pending TO reporter;
