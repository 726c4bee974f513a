-- creates: index idx_session_parent, index idx_session_inbox_status
-- The table is new and empty when this runs. On a table with rows nothing runs this file: the indexes are then built
-- concurrently, by the same comparison that repairs a lost one.
CREATE INDEX idx_session_parent ON public.session USING btree (parent);
CREATE INDEX idx_session_inbox_status ON public.session USING btree (inbox_status);
