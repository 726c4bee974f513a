-- must be adopted: the script stopped after the type
-- base: none
CREATE TYPE inbox_status_enum AS ENUM ('pending', 'processing', 'completed', 'failed');
