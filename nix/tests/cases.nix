# Configurations of hosts, each with what the test in Go expects of it.
{ lib }:
let
  on = extra: { services.sessiondb = { enable = true; } // extra; };
  # The hypervisor of the documentation, which writes its nftables rules itself.
  ruleset = input: ''
    table inet filter {
      chain input {
        type filter hook input priority filter; policy drop;
        iifname "lo" accept
        ct state { established, related } accept
        iifname "tailscale0" accept # everything
        tcp dport 22 accept
        ${input}
      }
      chain forward {
        type filter hook forward priority filter; policy drop;
        iifname "br-vm1" oifname "eth0" accept
      }
    }
  '';
  own = input: {
    networking.firewall.enable = false;
    networking.nftables.enable = true;
    networking.nftables.ruleset = ruleset input;
  };
  bridges = lib.genAttrs [ "vm1" "vm2" "vm3" "vm4" "vm5" ] (vm: {
    subnet = "10.${lib.removePrefix "vm" vm}.0";
    bridge = "br-${vm}";
  });
  overridden = text: {
    services.postgresql.authentication = lib.mkOverride 10 text;
  };
  oldLines = ''
    local all all peer
    host all all 127.0.0.1/32 scram-sha-256
  '' + lib.concatMapStrings (n: "host sessiondb sessionuser 10.${toString n}.0.0/24 scram-sha-256\n") (lib.range 1 5);
in
lib.mapAttrs (_: parts: { imports = lib.toList parts; }) {
  # Silence, and the one line.
  disabled = { };
  minimal = on { };

  # The hypervisor of the documentation with its own rules and a password of its own.
  hypervisor = [
    (on {
      networks = bridges;
      passwordFile = "/run/secrets/sessionuser.password";
      backup.enable = true;
    })
    (own ''iifname { "br-vm1", "br-vm2", "br-vm3", "br-vm4", "br-vm5" } accept'')
  ];

  # The password.
  password-file = on { passwordFile = "/run/secrets/sessionuser.password"; };
  password-in-store = on { passwordFile = "/nix/store/${lib.fixedWidthString 32 "0" ""}-secret"; };
  password-as-path = on { passwordFile = /. + "etc/sessionuser.password"; };
  password-relative = on { passwordFile = "secrets/sessionuser.password"; };
  password-initial = on {
    settings.roles = [
      {
        name = "sessionuser";
        password.initial = "s3cret-in-the-store";
      }
    ];
  };
  password-in-url = on { settings.database.url = "postgres://postgres:geheim@db.example/postgres"; };
  credentials = on {
    credentials."reporting.password" = "/run/secrets/reporting";
    settings.roles = [
      {
        name = "sessionuser";
        password.credential = "sessionuser.password";
      }
      {
        name = "reporting";
        access = "readonly";
        networks = [ "vm1" ];
        password.credential = "reporting.password";
      }
      {
        name = "retired";
        access = "none";
      }
    ];
  };

  password-file-in-settings = on {
    settings.roles = [
      {
        name = "sessionuser";
        password.file = "/run/secrets/sessionuser.password";
      }
    ];
  };
  password-file-in-store = on {
    settings.roles = [
      {
        name = "sessionuser";
        password.file = "/nix/store/${lib.fixedWidthString 32 "0" ""}-secret";
      }
    ];
  };
  password-unused = on {
    passwordFile = "/run/secrets/sessionuser.password";
    settings.roles = [ { name = "sessionuser"; } ];
  };
  credential-in-credstore = on {
    settings.roles = [
      {
        name = "sessionuser";
        password.credential = "sessionuser.password";
      }
      {
        name = "reporting";
        access = "readonly";
        password.credential = "reporting.password";
      }
    ];
  };

  # The networks.
  networks-own-set = on {
    networks = lib.mapAttrs (_: n: n // { mac = "02:00:00:00:00:01"; cores = 4; }) bridges;
  };
  networks-cidr = on {
    networks.build = {
      subnet = "192.168.128.0/17";
      gateway = "192.168.200.1";
      bridge = "br0";
    };
    networks.six.subnet = "fd00:1::/64";
  };
  networks-many = on {
    networks = lib.genAttrs (map (n: "vm${toString n}") (lib.range 1 12)) (vm: {
      subnet = "10.${lib.removePrefix "vm" vm}.0";
    });
  };
  networks-no-gateway = on { networks.odd.subnet = "fd00:1:2:3::17/64"; };
  networks-no-subnet = on { networks.vm1.bridge = "br-vm1"; };
  gateways-only = on { settings.server.listen = "gateways"; };
  allow = on {
    settings.firewall.allow = [
      {
        source = "100.64.0.0/10";
        interface = "tailscale0";
      }
      { source = "192.0.2.7"; }
    ];
    settings.roles = [ { name = "sessionuser"; } ];
  };

  # Mistakes in names and types.
  misspelt-option = on { pasword = "x"; };
  misspelt-setting-type = on { settings.firewall.port = "5432"; };
  wrong-enum = on { settings.server.listen = "gateway"; };
  freeform-setting = on { settings.reconcile.interval = "30s"; };

  # The firewalls.
  firewall-nftables = [
    (on { networks = bridges; })
    { networking.nftables.enable = true; }
  ];
  firewall-nftables-auto = [
    (on { })
    { networking.nftables.enable = true; }
  ];
  firewall-nftables-allow = [
    (on {
      settings.firewall.allow = [
        {
          source = "fd7a:115c:a1e0::/48";
          interface = "tailscale0";
        }
      ];
    })
    { networking.nftables.enable = true; }
  ];
  firewall-legacy = on { settings.firewall.backend = "legacy"; };
  firewall-off = on { settings.firewall.backend = "off"; };
  firewall-open-port = [
    (on { })
    { networking.firewall.allowedTCPPorts = [ 22 5432 ]; }
  ];
  ruleset-documented = [
    (on { networks = bridges; })
    (own ''iifname { "br-vm1", "br-vm2", "br-vm3", "br-vm4", "br-vm5" } accept'')
  ];
  ruleset-wildcard = [
    (on { networks = bridges; })
    (own ''iifname "br-vm*" tcp dport { 53, 5432 } accept'')
  ];
  ruleset-auto-names = [
    (on { })
    (own (lib.concatMapStringsSep "\n" (n: ''iifname "br-vm${toString n}" accept'') (lib.range 1 5)))
  ];
  ruleset-subnets = [
    (on { networks = bridges; })
    (own "ip saddr 10.0.0.0/8 tcp dport 5432 accept")
  ];
  ruleset-drops = [
    (on { networks = bridges; })
    (own ''iifname { "br-vm1", "br-vm2", "br-vm3" } accept'')
  ];
  ruleset-drops-port = [
    (on { networks = bridges; })
    (own ''
      tcp dport 5432 drop
      iifname "br-vm*" accept'')
  ];
  ruleset-public-drop = [
    (on { networks = bridges; })
    (own ''
      iifname "eth0" tcp dport 5432 drop
      iifname "br-vm*" accept'')
  ];
  ruleset-sets = [
    (on { networks = bridges; })
    (own "iifname @vms accept")
  ];
  ruleset-unchecked = [
    (on { checkRuleset = false; })
    (own "tcp dport 5432 drop")
  ];
  ruleset-file = [
    (on { networks = bridges; })
    {
      networking.firewall.enable = false;
      networking.nftables.enable = true;
      networking.nftables.rulesetFile = ./closed.nft;
    }
  ];
  ruleset-table = [
    (on { networks = bridges; })
    {
      networking.firewall.enable = false;
      networking.nftables.enable = true;
      networking.nftables.tables.filter = {
        family = "inet";
        content = "chain input { type filter hook input priority 0; policy drop; }";
      };
    }
  ];

  # PostgreSQL of the host.
  hba-overridden = [
    (on { })
    (overridden "local all all peer\n")
  ];
  hba-overridden-old-lines = [
    (on { })
    (overridden oldLines)
  ];
  hba-overridden-repeated = [
    (on { })
    ({ config, ... }: overridden "${config.services.sessiondb.authentication}local all all peer\n")
  ];
  hba-earlier-line = [
    (on { })
    { services.postgresql.authentication = lib.mkBefore "host all all 0.0.0.0/0 trust\n"; }
  ];
  hba-added-line = [
    (on { })
    { services.postgresql.authentication = "host other other 10.9.0.0/24 scram-sha-256\n"; }
  ];
  port = [
    (on { })
    { services.postgresql.settings.port = 5433; }
  ];
  port-mismatch = on { settings.firewall.port = 5433; };
  postgresql-off = [
    (on { })
    { services.postgresql.enable = false; }
  ];
  postgresql-tuned = [
    (on { })
    {
      services.postgresql.settings = {
        max_connections = 300;
        authentication_timeout = "3s";
      };
    }
  ];
  ensured = [
    (on { })
    {
      services.postgresql.ensureDatabases = [ "sessiondb" ];
      services.postgresql.ensureUsers = [ { name = "sessionuser"; } ];
    }
  ];
  remote = on { settings.database.url = "host=db.example dbname=postgres sslmode=verify-full"; };

  remote-url = on { settings.database.url = "postgres://admin@db.example/postgres"; };
  socket-url = on { settings.database.url = "postgres:///postgres?host=%2Frun%2Fpostgresql"; };
  socket-default = on { settings.database.url = "postgres://postgres@/postgres"; };

  # The old way, still defined.
  old-oneshots = [
    (on { })
    {
      systemd.services.init-session-schema.script = "psql …";
      systemd.services.set-sessionuser-password.script = "psql …";
    }
  ];
  # The documented hypervisor before and after: all that the former configuration had.
  before = [
    (on { networks = bridges; })
    (own ''iifname "br-vm*" accept'')
    (overridden oldLines)
    {
      networking.firewall.allowedTCPPorts = [ 5432 ];
      services.postgresql.enable = true;
      services.postgresql.enableTCPIP = true;
      services.postgresql.ensureDatabases = [ "sessiondb" ];
      services.postgresql.ensureUsers = [ { name = "sessionuser"; } ];
      systemd.services.init-session-schema.script = "psql …";
      systemd.services.set-sessionuser-password.script = "psql …";
    }
  ];
  after = [
    (on {
      networks = bridges;
      passwordFile = "/run/secrets/sessionuser.password";
    })
    (own ''iifname "br-vm*" accept'')
    ({ config, ... }: overridden (config.services.sessiondb.authentication + oldLines))
    {
      services.postgresql.enable = true;
      services.postgresql.enableTCPIP = true;
    }
  ];
  old-oneshots-off = [
    (on { })
    { systemd.services.init-session-schema.enable = false; }
  ];

  metrics = on { metrics.enable = true; };

  retention = on {
    settings.retention = {
      status = [ "completed" "failed" ];
      older_than = "2160h";
    };
  };
  retention-pending = on {
    settings.retention = {
      status = "pending";
      older_than = "2160h";
    };
  };

  own-backup = on { settings.backup = { }; };
  own-backup-off = on { settings.backup = null; };
  own-backup-of-another = [
    (on { })
    {
      services.postgresqlBackup = {
        enable = true;
        databases = [ "another" ];
      };
    }
  ];
  backup-of-all = [
    (on { })
    { services.postgresqlBackup.enable = true; }
  ];
  own-backup-elsewhere = on {
    settings.backup = {
      directory = "/srv/backups";
      keep = 30;
      schedule = "Mon..Fri 23:30";
      upload = [ "aws" "s3" "cp" "-" "s3://my-backups/{file}" ];
    };
  };
  own-backup-none = on { settings.backup.keep = 0; };

  backup = on { backup.enable = true; };
  backup-own-time = [
    (on { backup.enable = true; })
    { services.postgresqlBackup.startAt = "*-*-* 04:30:00"; }
  ];
}
