-- must be refused: schema/update_updated_at_column(): other tables' triggers call it, and it does something else
CREATE OR REPLACE FUNCTION update_updated_at_column() RETURNS TRIGGER AS $$ BEGIN NEW.modified = now(); RETURN NEW; END; $$ LANGUAGE plpgsql;
CREATE TABLE notes (id int PRIMARY KEY, modified timestamptz);
CREATE TRIGGER t BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION update_updated_at_column();
DROP TRIGGER update_session_updated_at ON session;
