# The options of services.sessiondb.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.services.sessiondb;
  networks = import ./networks.nix { inherit lib; };
  yaml = pkgs.formats.yaml { };

  # Whether NixOS makes backups of the database already: of all of them, or of those that it lists.
  dumps = config.services.postgresqlBackup;
  dumped = dumps.enable && (dumps.databases == [ ] || lib.elem cfg.settings.database.name dumps.databases);

  optional =
    type: description:
    mkOption {
      type = types.nullOr type;
      default = null;
      inherit description;
    };

  network = types.submodule {
    # The host's own set may say more of its VMs than concerns us.
    freeformType = types.lazyAttrsOf types.raw;
    options = {
      subnet = mkOption {
        type = types.str;
        example = "10.1.0.0/24";
        description = "The VM's network: with its prefix length, or three numbers for one of 24 bits.";
      };
      bridge = optional types.str "The hypervisor's interface in the network. `null`: whichever holds the gateway address.";
      gateway = optional types.str "The hypervisor's address in the network. `null`: the first one.";
    };
  };

  role = types.submodule {
    freeformType = yaml.type;
    options = {
      name = mkOption {
        type = types.str;
        description = "The role's name.";
      };
      access = mkOption {
        type = types.enum [ "readwrite" "readonly" "none" ];
        default = "readwrite";
        description = "What it may do with the sessions.";
      };
      connection_limit = mkOption {
        type = types.ints.between (-1) 10000;
        default = 80;
        description = "How many connections it may hold in all; -1: no limit.";
      };
      networks = optional (types.listOf types.str) "The networks that it may connect from, by name. `null`: all of them.";
      password = optional yaml.type ''
        Where its password comes from: `{ credential = NAME; }` with a file in
        {option}`services.sessiondb.credentials`, or `{ file = PATH; }`. `null`: left alone.
      '';
    };
  };

  listed = types.submodule {
    freeformType = yaml.type;
    options = lib.genAttrs [ "name" "subnet" "gateway" "interface" ] (
      key: mkOption { type = types.str; description = "As in sessiondbd's config."; }
    );
  };

  allowed = types.submodule {
    freeformType = yaml.type;
    options.source = mkOption {
      type = types.str;
      example = "100.64.0.0/10";
      description = "An address or a network.";
    };
    options.interface = optional types.str "The interface that it comes in by. `null`: any.";
  };

  finished = types.enum [ "completed" "failed" ];
  retention = types.submodule {
    options = {
      status = mkOption {
        type = types.either finished (types.listOf finished);
        example = "completed";
        description = "The status of the sessions that are deleted, or a list of both.";
      };
      older_than = mkOption {
        type = types.str;
        example = "720h";
        description = "How long ago they were created.";
      };
    };
  };

  backup = types.submodule {
    options = {
      directory = optional types.str "Where backups go, in a folder of their own. `null`: /var/backups/sessiondb.";
      keep = optional (types.ints.between 1 10000) "How many of the newest stay. `null`: 14.";
      schedule = optional types.str "When, as systemd.time(7) writes calendar events. `null`: every night at 2.";
      upload = optional (types.listOf types.str) "A command that gets each backup on its standard input; `{file}` in an argument is its name.";
    };
  };
in
{
  options.services.sessiondb = {
    enable = lib.mkEnableOption "the session database of this hypervisor: PostgreSQL, schema, roles, access and firewall";

    package = mkOption {
      type = types.package;
      default = pkgs.sessiondbd or (pkgs.callPackage ./package.nix { });
      defaultText = lib.literalExpression "pkgs.sessiondbd";
      description = ''
        The package of sessiondbd. It needs Go 1.25: on NixOS 25.05 and older take it from the flake, whose
        `nixosModules.default` does that.
      '';
    };

    networks = mkOption {
      type = types.attrsOf network;
      default = networks.documented;
      defaultText = lib.literalExpression ''{ vm1.subnet = "10.1.0.0/24"; /* … to vm5 */ }'';
      example = lib.literalExpression ''{ vm1 = { subnet = "10.1.0"; bridge = "br-vm1"; }; }'';
      description = ''
        The VMs' networks by name, as the hypervisor keeps them: further attributes are ignored, so that the host's own
        set can be given as it is.
      '';
    };

    passwordFile = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/run/secrets/sessionuser.password";
      description = ''
        A file on the host with the password of `sessionuser`, as a string. systemd reads it as root when the service
        starts; it never enters the store. `null`: `/etc/credstore/sessionuser.password` where that exists, otherwise the
        documented initial password for a role that has none, which the daemon warns about.
      '';
    };

    credentials = mkOption {
      type = types.attrsOf types.path;
      default = { };
      example = {
        "reporting.password" = "/run/secrets/reporting.password";
      };
      description = "Further credentials of the service by name, for the passwords of further roles.";
    };

    backup.enable = lib.mkEnableOption ''
      a dump of the session database every night at 02:00, compressed with zstd, by
      {option}`services.postgresqlBackup`, in the place of sessiondbd's own backups'' ;

    metrics.enable = lib.mkEnableOption ''
      metrics for Prometheus at `http://127.0.0.1:19187/metrics`. A program of its own answers, which systemd starts at a
      scrape and which ends when nobody asks'' ;

    checkRuleset = mkOption {
      type = types.bool;
      default = true;
      description = ''
        Whether to read {option}`networking.nftables.ruleset` and {option}`networking.nftables.tables` for rules that
        drop the VMs' connections, and warn.
      '';
    };

    authentication = mkOption {
      type = types.lines;
      readOnly = true;
      default = lib.concatMapStrings (l: l + "\n") ((import ./access.nix { inherit lib; }).lines cfg.settings);
      defaultText = lib.literalMD "from {option}`services.sessiondb.settings`";
      description = ''
        The lines that this module puts first into {option}`services.postgresql.authentication`, for a host that
        overrides the whole text and has to repeat them.
      '';
    };

    settings = mkOption {
      default = { };
      description = ''
        The config of sessiondbd, `/etc/sessiondbd/config.yaml`: see {manpage}`sessiondbd(8)`. It is checked when the
        system is built.
      '';
      type = types.submodule {
        freeformType = yaml.type;
        options = {
          database.name = mkOption {
            type = types.str;
            default = "sessiondb";
            description = "The session database.";
          };
          database.url = mkOption {
            type = types.str;
            default = "host=/run/postgresql dbname=postgres";
            description = "The administrator's connection. It lies in the store: no password in it.";
          };
          roles = optional (types.listOf role) "The login roles. `null`: the documented `sessionuser`.";
          networks = mkOption {
            type = types.listOf listed;
            default = networks.toSettings cfg.networks;
            defaultText = lib.literalMD "from {option}`services.sessiondb.networks`";
            description = "The VMs' networks in the form of the config.";
          };
          firewall.port = mkOption {
            type = types.port;
            default = config.services.postgresql.settings.port or 5432;
            defaultText = lib.literalExpression "config.services.postgresql.settings.port";
            description = "The port of PostgreSQL.";
          };
          firewall.backend = mkOption {
            type = types.enum [ "auto" "nft" "legacy" "off" ];
            default = "auto";
            description = "The variant of iptables; `off` leaves the firewall to somebody else.";
          };
          firewall.max_connections_per_vm = mkOption {
            type = types.ints.between 1 10000;
            default = 16;
            description = "How many connections one VM may hold.";
          };
          firewall.allow = mkOption {
            type = types.listOf allowed;
            default = [ ];
            description = "Who else may reach the port.";
          };
          server.manage = mkOption {
            type = types.enum [ "auto" "verify" ];
            default = "verify";
            description = "PostgreSQL's files lie in the store, where this module writes them and the daemon verifies.";
          };
          server.listen = mkOption {
            type = types.enum [ "all" "gateways" ];
            default = "all";
            description = "What PostgreSQL binds to: every address, or loopback and the gateways' addresses.";
          };
          backup = mkOption {
            type = types.nullOr backup;
            default = if dumped then null else { };
            defaultText = lib.literalMD "with them, unless NixOS's own are made of the database already";
            description = "sessiondbd's own backups, restored for a test every week. `{ }`: every night, the 14 newest. `null`: none.";
          };
          retention = optional retention "Which finished sessions are deleted every night, at about 03:30. `null`: none, ever.";
        };
      };
    };
  };
}
