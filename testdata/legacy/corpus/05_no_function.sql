-- must be adopted: function and trigger are missing
DROP FUNCTION update_updated_at_column() CASCADE;
