# A stand-in for nixpkgs: packages that are only names, with the places where NixOS would put them.
{ lib }:
let
  drv = name: extra: {
    inherit name;
    type = "derivation";
    outPath = "/nix/store/${lib.fixedWidthString 32 "0" ""}-${name}";
    drvPath = "/nix/store/${lib.fixedWidthString 32 "0" ""}-${name}.drv";
    outputName = "out";
    meta = { };
  } // extra;
  platform = {
    system = "x86_64-linux";
    canExecute = _: true;
  };
  self = lib.genAttrs [ "coreutils" "iptables" "iptables-legacy" "postgresql" "sudo" ] (name: drv name { }) // {
    inherit lib;
    runtimeShell = "/bin/sh";
    stdenv = {
      buildPlatform = platform;
      hostPlatform = platform;
    };
    sessiondbd = drv "sessiondbd" { meta.mainProgram = "sessiondbd"; };
    formats.yaml = _: {
      type = yamlValue;
      generate = name: value: drv name { text = builtins.toJSON value; }; # JSON is YAML
    };
    # The text is what it copies; the script is what would be run.
    runCommand = name: env: script: drv name { inherit script; inherit (env.source) text; };
    buildGoModule = args: drv args.pname args;
    callPackage = f: args: (if lib.isFunction f then f else import f) (
      builtins.intersectAttrs (lib.functionArgs (if lib.isFunction f then f else import f)) self // args
    );
    testers.runNixOSTest = test: { inherit test; };
  };
  yamlValue =
    with lib.types;
    (nullOr (oneOf [
      bool
      int
      float
      str
      path
      (attrsOf yamlValue)
      (listOf yamlValue)
    ]))
    // {
      description = "YAML value";
    };
in
self
