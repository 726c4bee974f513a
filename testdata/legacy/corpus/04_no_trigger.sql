-- must be adopted: the trigger is missing
DROP TRIGGER update_session_updated_at ON session;
