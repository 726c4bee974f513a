-- creates: function update_updated_at_column(), trigger update_session_updated_at
-- updated_at is the server's business: no client has to remember it, and none can get it wrong.
CREATE OR REPLACE FUNCTION public.update_updated_at_column() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    NEW.updated_at := CURRENT_TIMESTAMP;
    RETURN NEW;
END;
$function$;
ALTER FUNCTION public.update_updated_at_column() OWNER TO sessiondb_owner;

CREATE TRIGGER update_session_updated_at
    BEFORE UPDATE ON public.session
    FOR EACH ROW EXECUTE FUNCTION public.update_updated_at_column();
