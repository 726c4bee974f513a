-- must be adopted: a label is missing from the enum
-- base: none
CREATE TYPE inbox_status_enum AS ENUM ('pending', 'completed', 'failed');
CREATE TABLE session (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(), messages JSONB, inbox_status inbox_status_enum, sbx_config JSONB,
    parent UUID REFERENCES session(id), created_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMPTZ DEFAULT CURRENT_TIMESTAMP);
INSERT INTO session (inbox_status) VALUES ('completed'), ('failed'), (NULL);
