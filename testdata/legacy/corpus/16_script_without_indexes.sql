-- must be adopted: the script stopped after the table, and it has been used since
-- base: none
CREATE TYPE inbox_status_enum AS ENUM ('pending', 'processing', 'completed', 'failed');
CREATE TABLE session (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(), messages JSONB, inbox_status inbox_status_enum, sbx_config JSONB,
    parent UUID REFERENCES session(id), created_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP);
INSERT INTO session (messages) SELECT jsonb_build_object('n', n) FROM generate_series(1, 50) n;
