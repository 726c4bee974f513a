-- must be refused: schema/session: a view in the table's place
ALTER TABLE session RENAME TO sessions;
CREATE VIEW session AS SELECT * FROM sessions;
