-- must be refused: schema/session: a partitioned table has no rows of its own to look after
DROP TABLE session;
CREATE TABLE session (id uuid, created_at timestamptz) PARTITION BY RANGE (created_at);
