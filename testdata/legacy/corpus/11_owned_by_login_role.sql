-- must be adopted: table, type and function are in the hands of sessionuser
ALTER TABLE session OWNER TO sessionuser;
ALTER TYPE inbox_status_enum OWNER TO sessionuser;
ALTER FUNCTION update_updated_at_column() OWNER TO sessionuser;
