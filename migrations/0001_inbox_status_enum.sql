-- creates: type inbox_status_enum
-- Where a session's inbox stands. The order of the labels is the order in which they sort.
CREATE TYPE public.inbox_status_enum AS ENUM ('pending', 'processing', 'completed', 'failed');
ALTER TYPE public.inbox_status_enum OWNER TO sessiondb_owner;
