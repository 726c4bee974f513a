# sessiondbd for NixOS: github:OWNER/sessiondbd?dir=nix
{
  description = "The session database of a hypervisor: schema, roles, access and firewall";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.11";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forAll = f: lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
      build = pkgs: pkgs.callPackage ./package.nix { commit = self.shortRev or self.dirtyShortRev or "unknown"; };
    in
    {
      packages = forAll (pkgs: rec {
        sessiondbd = build pkgs;
        default = sessiondbd;
      });

      overlays.default = final: _: { sessiondbd = build final; };

      # The package comes from this flake's own nixpkgs, so that hosts of older releases need no newer Go.
      nixosModules.default =
        { pkgs, ... }:
        {
          imports = [ ./module.nix ];
          services.sessiondb.package = lib.mkDefault self.packages.${pkgs.stdenv.hostPlatform.system}.default;
        };

      checks = forAll (pkgs: {
        package = build pkgs;
        hypervisor = pkgs.testers.runNixOSTest (import ./tests/hypervisor.nix { module = self.nixosModules.default; });
      });
    };
}
