-- creates: table session
-- One row a session. A session may descend from another; a parent stays as long as it has children.
CREATE TABLE public.session (
    id           uuid CONSTRAINT session_pkey PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    messages     jsonb,
    inbox_status public.inbox_status_enum,
    sbx_config   jsonb,
    parent       uuid CONSTRAINT session_parent_fkey REFERENCES public.session (id),
    created_at   timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at   timestamp with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP
);
ALTER TABLE public.session OWNER TO sessiondb_owner;
