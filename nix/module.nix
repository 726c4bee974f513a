# The NixOS module: `services.sessiondb.enable = true;` makes this host the documented hypervisor.
{
  config,
  lib,
  pkgs,
  ...
}@args:
let
  cfg = config.services.sessiondb;
  settings = cfg.settings;
  access = import ./access.nix { inherit lib; };
  yaml = pkgs.formats.yaml { };

  # Options that were left at null are keys that the config leaves out.
  withoutNulls =
    v:
    if lib.isAttrs v then
      lib.mapAttrs (_: withoutNulls) (lib.filterAttrs (_: x: x != null) v)
    else if lib.isList v then
      map withoutNulls v
    else
      v;

  # Checked by the program that will read it, where the build machine can run it. The password files are not there yet, so
  # it is `config show` rather than `config check`.
  configFile =
    pkgs.runCommand "sessiondbd-config.yaml"
      {
        source = yaml.generate "config.yaml" (withoutNulls settings);
        preferLocalBuild = true;
      }
      (
        lib.optionalString (pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform) ''
          ${lib.getExe' cfg.package "sessiondbd"} --config "$source" config show >/dev/null
        ''
        + ''
          cp "$source" "$out"
        ''
      );

  here = access.onSocket settings.database.url;
  gateways = settings.server.listen == "gateways";
  legacy = settings.firewall.backend == "legacy";
  nftables = config.networking.nftables.enable;

  # All VMs at their limit, beside PostgreSQL's own reserve of 3 and ours of 4 (internal/server).
  connections = settings.firewall.max_connections_per_vm * lib.length settings.networks + 7;

  secretFiles =
    cfg.credentials
    // lib.optionalAttrs (cfg.passwordFile != null) { ${access.documentedCredential} = cfg.passwordFile; };
  # A bare name: from /etc/credstore, where the file is there.
  credentials = lib.genAttrs (access.credentialsIn settings) (_: null) // secretFiles;

  # What NixOS adds to the units of the package, in a drop-in: their text has one source, deploy/systemd.
  unit = {
    reloadTriggers = [ configFile ];
    stopIfChanged = false; # restart at the switch: the rules and the VMs' connections stay
  };

  # As deploy/systemd/examples/tcp-administrator.conf has it. The servers' addresses are not known here: name them in
  # IPAddressDeny and IPAddressAllow of the units to narrow it again.
  remote = {
    PrivateNetwork = false;
    RestrictAddressFamilies = "AF_UNIX AF_INET AF_INET6";
    IPAddressDeny = lib.mkDefault "";
  };

  # pg_dump of the server that runs. What Debian's generator takes from the config is known here.
  backup = outside: {
    path = [ config.services.postgresql.package ];
    serviceConfig = lib.mkMerge [
      (lib.mkIf (!here || outside) remote)
      (lib.mkIf (settings.backup.directory != null) { ReadWritePaths = [ "-${settings.backup.directory}" ]; })
    ];
  };
in
{
  imports = [ ./options.nix ];

  config = lib.mkIf cfg.enable (
    lib.mkMerge [
      {
        environment.etc."sessiondbd/config.yaml".source = configFile;
        environment.systemPackages = [ cfg.package ];
        systemd.packages = [ cfg.package ];
        systemd.tmpfiles.packages = [ cfg.package ];
        # Commands that root runs look there, and so see the passwords that the service has.
        systemd.tmpfiles.rules = lib.mkIf (secretFiles != { }) (
          [ "d /run/credstore 0700 root root -" ]
          ++ lib.mapAttrsToList (name: path: "L+ /run/credstore/${name} - - - - ${toString path}") secretFiles
        );

        users.users.sessiondbd-firewall = {
          isSystemUser = true;
          group = "sessiondbd-firewall";
          description = "Session database firewall";
        };
        users.groups.sessiondbd-firewall = { };

        systemd.services.sessiondbd = unit // {
          wantedBy = [ "multi-user.target" ];
          aliases = [ "init-session-schema.service" ];
          serviceConfig = lib.mkMerge [
            (lib.mkIf (credentials != { }) {
              # Strings: a path would be copied into the store, which an assertion refuses besides.
              LoadCredential = lib.mapAttrsToList (
                name: path: name + lib.optionalString (path != null) ":${toString path}"
              ) credentials;
            })
            (lib.mkIf (!here) remote)
          ];
        };

        systemd.services.sessiondbd-firewall = unit // {
          enable = settings.firewall.backend != "off";
          wantedBy = [ "multi-user.target" ];
          # With nftables, networking.firewall.package is nft itself; iptables-nft is what we write with.
          path = [ (if nftables then pkgs.iptables else config.networking.firewall.package) ];
          serviceConfig = lib.mkIf legacy {
            # As deploy/systemd/examples/legacy-iptables.conf has it.
            CapabilityBoundingSet = "CAP_NET_ADMIN CAP_NET_RAW";
            AmbientCapabilities = "CAP_NET_ADMIN CAP_NET_RAW";
            RestrictAddressFamilies = "AF_UNIX AF_NETLINK AF_INET AF_INET6";
            ExecStartPre = "+${pkgs.runtimeShell} -c '${pkgs.coreutils}/bin/touch /run/xtables.lock && ${pkgs.coreutils}/bin/chgrp sessiondbd-firewall /run/xtables.lock && ${pkgs.coreutils}/bin/chmod g+rw /run/xtables.lock'";
            ReadWritePaths = "-/run/xtables.lock";
          };
        };

        # Its units are in the package; only who wants metrics has the port opened.
        systemd.sockets.sessiondbd-metrics = lib.mkIf cfg.metrics.enable { wantedBy = [ "sockets.target" ]; };
        systemd.services.sessiondbd-metrics = lib.mkIf (!here) { serviceConfig = remote; };

        # Whoever says which sessions go has them deleted every night.
        systemd.timers.sessiondbd-prune = lib.mkIf (settings.retention != null) { wantedBy = [ "timers.target" ]; };
        systemd.services.sessiondbd-prune = lib.mkIf (!here) { serviceConfig = remote; };

        systemd.timers.sessiondbd-backup = lib.mkIf (settings.backup != null) {
          wantedBy = [ "timers.target" ];
          timerConfig = lib.mkIf (settings.backup.schedule != null) { OnCalendar = [ "" settings.backup.schedule ]; };
        };
        systemd.timers.sessiondbd-backup-verify = lib.mkIf (settings.backup != null) { wantedBy = [ "timers.target" ]; };
        systemd.services.sessiondbd-backup = lib.mkIf (settings.backup != null) (backup (settings.backup.upload != null));
        systemd.services.sessiondbd-backup-verify = lib.mkIf (settings.backup != null) (backup false);

        # Only for its PATH: it calls systemctl. The path unit that starts it is pulled in by sessiondbd.service.
        systemd.services.sessiondbd-restart-postgresql = { };
      }

      (lib.mkIf here {
        services.postgresql = {
          enable = lib.mkDefault true;
          enableTCPIP = lib.mkIf (!gateways) (lib.mkDefault true);
          # After the header of NixOS, before what anybody adds; NixOS's own lines come last.
          authentication = lib.mkOrder 600 cfg.authentication;
          settings = lib.mkMerge [
            {
              # Half-open handshakes take up connections that VMs need, and so do statements of VMs that died in them.
              authentication_timeout = lib.mkDefault "5s";
              client_connection_check_interval = lib.mkDefault "5s";
            }
            (lib.mkIf (connections > 100) { max_connections = lib.mkDefault connections; })
            # NixOS sets it without a priority; mkForce of the host still wins over us.
            (lib.mkIf gateways {
              listen_addresses = lib.mkOverride 75 (
                lib.concatStringsSep ", " ([ "localhost" ] ++ map (n: n.gateway) settings.networks)
              );
            })
          ];
        };
        # Gateways whose bridge comes up after PostgreSQL would otherwise never be bound.
        boot.kernel.sysctl = lib.mkIf gateways { "net.ipv4.ip_nonlocal_bind" = lib.mkDefault 1; };

        # Behind the guard. On hosts without it, the order in the unit is void.
        systemd.services.postgresql = {
          wants = [ "sessiondbd-firewall.service" ];
          after = [ "sessiondbd-firewall.service" ];
        };
      })

      # NixOS's nftables firewall is a table of its own, whose drop our accept cannot overrule. The iptables firewall is the
      # chain that ours comes before.
      (lib.mkIf (nftables && config.networking.firewall.enable) {
        networking.firewall.extraInputRules = lib.concatMapStrings (rule: rule + "\n") (
          map (n: access.nftables settings.firewall.port n.interface n.subnet) settings.networks
          ++ map (a: access.nftables settings.firewall.port a.interface a.source) settings.firewall.allow
        );
      })

      (lib.mkIf cfg.backup.enable {
        services.postgresqlBackup = {
          enable = true;
          databases = [ settings.database.name ];
          startAt = lib.mkDefault "*-*-* 02:00:00";
          compression = lib.mkDefault "zstd";
        };
      })

      (import ./checks.nix args)
    ]
  );
}
