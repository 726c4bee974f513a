-- 300 rows as a host in use has them: every third has a parent, row 7 and every 50th lack a timestamp, and the values are
-- the same on every run.
INSERT INTO session (id, messages, inbox_status, sbx_config, parent, created_at, updated_at)
SELECT md5('session ' || n)::uuid,
       CASE WHEN n % 11 <> 0 THEN jsonb_build_object('msg', 'Hello ' || n, 'nested', jsonb_build_array(n, NULL, 'ü')) END,
       CASE WHEN n % 13 <> 0 THEN (enum_range(NULL::inbox_status_enum))[1 + n % 4] END,
       CASE WHEN n % 17 <> 0 THEN jsonb_build_object('config', 'value', 'n', n) END,
       CASE WHEN n % 3 = 0 THEN md5('session ' || n / 3)::uuid END,
       CASE WHEN n % 50 <> 0 THEN timestamptz '2023-11-01 00:00:00+00' + n * interval '1 hour 7.000123 seconds' END,
       CASE WHEN n % 50 NOT IN (0, 25) AND n <> 7 THEN timestamptz '2023-12-01 00:00:00+00' + n * interval '1 hour' END
FROM generate_series(1, 300) AS n;
