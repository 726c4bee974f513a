-- What NixOS's ensureDatabases and ensureUsers, the hypervisor's ALTER DATABASE … OWNER TO and its second oneshot,
-- which sets the password, leave. Run it in the maintenance database.
CREATE ROLE sessionuser LOGIN;
CREATE DATABASE sessiondb;
ALTER DATABASE sessiondb OWNER TO sessionuser;
ALTER USER sessionuser WITH PASSWORD 'sessionpass123';
