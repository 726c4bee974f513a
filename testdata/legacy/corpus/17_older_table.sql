-- must be adopted: a table from before sbx_config and updated_at were thought of
-- base: none
CREATE TYPE inbox_status_enum AS ENUM ('pending', 'processing', 'completed', 'failed');
CREATE TABLE session (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(), messages JSONB, inbox_status inbox_status_enum,
    parent UUID REFERENCES session(id), created_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP);
INSERT INTO session (messages, created_at) SELECT '{}', timestamptz '2024-01-01 00:00+00' + n * interval '1 day' FROM generate_series(1, 30) n;
