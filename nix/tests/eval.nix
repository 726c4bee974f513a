# Evaluates every configuration of cases.nix in one release: { case = result; }, beside the documentation of the options.
{
  libPath,
  release,
}:
let
  lib = import libPath;
  pkgs = import ./pkgs.nix { inherit lib; };
  stubs = import ./stubs.nix {
    inherit release;
    inherit (pkgs) iptables;
  };

  evaluate =
    module:
    lib.evalModules {
      specialArgs = { inherit pkgs; };
      modules = [
        stubs
        ../module.nix
        module
      ];
    };

  service = s: {
    inherit (s)
      enable
      wantedBy
      wants
      after
      aliases
      unitConfig
      serviceConfig
      stopIfChanged
      ;
    path = map toString s.path;
    reloadTriggers = map toString s.reloadTriggers;
  };

  view =
    { config, ... }:
    {
      failed = map (a: a.message) (lib.filter (a: !a.assertion) config.assertions);
      inherit (config) warnings;
      etc = lib.mapAttrs (_: e: e.source.text) config.environment.etc;
      packages = map (p: p.name) config.environment.systemPackages;
      unitPackages = map (p: p.name) config.systemd.packages;
      tmpfilesPackages = map (p: p.name) config.systemd.tmpfiles.packages;
      tmpfilesRules = config.systemd.tmpfiles.rules;
      users = lib.attrNames config.users.users;
      services = lib.mapAttrs (_: service) config.systemd.services;
      sockets = lib.mapAttrs (_: s: s.wantedBy) config.systemd.sockets;
      timers = lib.mapAttrs (_: t: t.wantedBy) config.systemd.timers;
      calendars = lib.mapAttrs (_: t: t.timerConfig.OnCalendar or [ ]) config.systemd.timers;
      hasTarget = config.systemd.targets ? postgresql;
      sysctl = config.boot.kernel.sysctl;
      firewall = {
        inherit (config.networking.nftables) ruleset;
        inherit (config.networking.firewall) enable extraInputRules;
        nftables = config.networking.nftables.enable;
      };
      postgresql = {
        inherit (config.services.postgresql)
          enable
          settings
          authentication
          identMap
          ;
      };
      backup = config.services.postgresqlBackup;
    };

  # What must not evaluate: misspelt options, wrong types.
  attempt =
    module:
    let
      v = view (evaluate module);
      r = builtins.tryEval (builtins.deepSeq v v);
    in
    if r.success then r.value else { error = true; };

  documentation =
    let
      all = lib.optionAttrSetToDocList (evaluate { }).options;
      ours = lib.filter (o: lib.hasPrefix "services.sessiondb." o.name && o.visible && !o.internal) all;
      text = v: if v ? text then v.text else builtins.toJSON v;
    in
    map (o: {
      inherit (o) name type;
      readOnly = o.readOnly or false;
      description = if lib.isString (o.description or "") then o.description or "" else o.description.text;
      default = if o ? default then text o.default else null;
      example = if o ? example then text o.example else null;
    }) ours;
  # The flake, with nixpkgs as far as there is one here.
  flake =
    let
      outputs = (import ../flake.nix).outputs {
        self = outputs // {
          shortRev = "abcdef0";
        };
        nixpkgs = {
          inherit lib;
          legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (_: pkgs);
        };
      };
    in
    outputs;
  booted = flake.checks.x86_64-linux.hypervisor.test;
in
{
  results = lib.mapAttrs (_: attempt) (import ./cases.nix { inherit lib; } // { booted = booted.nodes.hypervisor; });
  peers = lib.mapAttrs (_: node: (evaluate node).config.networking.defaultGateway) (
    removeAttrs booted.nodes [ "hypervisor" ]
  );
  inherit (booted) testScript;
  flake = {
    packages = lib.mapAttrs (_: p: lib.mapAttrs (_: d: d.pname + "-" + d.version) p) flake.packages;
    checks = lib.mapAttrs (_: lib.attrNames) flake.checks;
    overlay = (flake.overlays.default (pkgs // { inherit lib; }) pkgs).sessiondbd.pname;
    modules = lib.attrNames flake.nixosModules;
  };
  options = documentation;
}
