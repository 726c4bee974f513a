-- must be adopted: defaults are missing, wrong, or spelt otherwise
ALTER TABLE session ALTER id DROP DEFAULT, ALTER created_at SET DEFAULT '2020-01-01', ALTER updated_at SET DEFAULT now(),
    ALTER inbox_status SET DEFAULT 'pending';
