# What the module meets of NixOS, as strict options: a name or a type that NixOS does not know fails here, too. Of the
# modules behind them only what ours depends on, by release: how PostgreSQL's settings and lines come about.
{ release, iptables }:
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  from = lib.versionAtLeast release;

  option = type: mkOption { inherit type; };
  default = type: default: mkOption { inherit type default; };
  list = type: default (types.listOf type) [ ];
  set = type: default (types.attrsOf type) { };
  closed = options: types.submodule { inherit options; };

  scalar = types.oneOf [
    types.bool
    types.int
    types.str
  ];
  unitOption = types.either scalar (types.listOf scalar);

  service = closed {
    enable = default types.bool true;
    description = default types.str "";
    wantedBy = list types.str;
    wants = list types.str;
    after = list types.str;
    before = list types.str;
    requires = list types.str;
    aliases = list types.str;
    path = list types.package;
    reloadTriggers = list types.unspecified;
    restartTriggers = list types.unspecified;
    stopIfChanged = default types.bool true;
    restartIfChanged = default types.bool true;
    script = default types.lines "";
    unitConfig = set unitOption;
    serviceConfig = set unitOption;
  };
in
{
  options = {
    assertions = list (closed {
      assertion = option types.bool;
      message = option types.str;
    });
    warnings = list types.str;

    boot.kernel.sysctl = set (types.nullOr scalar);
    environment.systemPackages = list types.package;
    environment.etc = set (closed {
      source = option types.path;
    });
    users.groups = set (closed { });
    users.users = set (closed {
      isSystemUser = default types.bool false;
      group = option types.str;
      description = default types.str "";
    });

    systemd.packages = list types.package;
    systemd.tmpfiles.packages = list types.package;
    systemd.tmpfiles.rules = list types.str;
    systemd.services = set service;
    systemd.sockets = set (closed {
      wantedBy = list types.str;
    });
    systemd.timers = set (closed {
      wantedBy = list types.str;
      timerConfig = set unitOption;
    });
    systemd.targets = set (closed {
      wantedBy = list types.str;
      requires = list types.str;
    });

    # Of the booted test.
    virtualisation.vlans = list types.ints.positive;
    networking.useDHCP = default types.bool true;
    networking.defaultGateway = default (types.nullOr types.str) null;
    networking.bridges = set (closed {
      interfaces = option (types.listOf types.str);
    });
    networking.interfaces = set (closed {
      ipv4.addresses = list (closed {
        address = option types.str;
        prefixLength = option types.int;
      });
    });

    networking.firewall = {
      enable = default types.bool true;
      package = default types.package iptables;
      allowedTCPPorts = list types.port;
      extraInputRules = default types.lines "";
    };
    networking.nftables = {
      enable = default types.bool false;
      ruleset = default types.lines "";
      rulesetFile = default (types.nullOr types.path) null;
      tables = set (closed {
        enable = default types.bool true;
        content = option types.lines;
        family = option (types.enum [ "ip" "ip6" "inet" "arp" "bridge" "netdev" ]);
      });
    };

    services.postgresql = {
      enable = default types.bool false;
      enableTCPIP = default types.bool false;
      package = default types.package iptables; # any: only its path is looked at
      authentication = default types.lines "";
      identMap = default types.lines "";
      ensureDatabases = list types.str;
      ensureUsers = list (closed {
        name = option types.str;
        ensureDBOwnership = default types.bool false;
      });
      settings = mkOption {
        default = { };
        type = types.submodule {
          freeformType = types.attrsOf (types.either types.float scalar);
          options.port = default types.port 5432;
        };
      };
    };
    services.postgresqlBackup = {
      enable = default types.bool false;
      databases = list types.str;
      location = default types.path "/var/backup/postgresql";
      startAt = default (types.either types.str (types.listOf types.str)) "*-*-* 01:15:00";
      compression = default (types.enum [ "none" "gzip" "zstd" ]) "gzip";
    };
  };

  # NixOS's own definitions, with its priorities and its order.
  config = lib.mkIf config.services.postgresql.enable {
    services.postgresql.authentication = lib.mkMerge [
      (lib.mkBefore "# Generated file; do not edit!")
      (lib.mkAfter (
        lib.optionalString (from "25.05") "local all postgres         peer map=postgres\n"
        + ''
          local all all              peer
          host  all all 127.0.0.1/32 md5
          host  all all ::1/128      md5
        ''
      ))
    ];
    services.postgresql.identMap = lib.mkIf (from "25.05") (
      lib.mkBefore ''
        postgres postgres postgres
      ''
    );
    services.postgresql.settings.listen_addresses = if config.services.postgresql.enableTCPIP then "*" else "localhost";

    systemd.services = lib.mkMerge [
      { postgresql.wantedBy = [ (if from "25.11" then "postgresql.target" else "multi-user.target") ]; }
      (lib.mkIf (from "25.11") {
        postgresql-setup.requires = [ "postgresql.service" ];
        postgresql-setup.after = [ "postgresql.service" ];
      })
    ];
    systemd.targets = lib.mkIf (from "25.11") {
      postgresql = {
        wantedBy = [ "multi-user.target" ];
        requires = [
          "postgresql.service"
          "postgresql-setup.service"
        ];
      };
    };
  };
}
