# sessiondbd, for NixOS and any nixpkgs whose Go is 1.25 or newer.
{
  lib,
  stdenv,
  buildGoModule,
  commit ? "unknown",
}:
let
  inherit (lib) fileset;
  # What the package is built from; the test that computes vendorHash reads this list.
  sources = fileset.unions [
    ../go.mod
    ../go.sum
    ../cmd
    ../deploy
    ../internal
    ../migrations
  ];
in
buildGoModule rec {
  pname = "sessiondbd";
  version = "0.1.0";

  src = fileset.toSource {
    root = ../.;
    fileset = fileset.difference sources (fileset.fileFilter (f: lib.hasSuffix "_test.go" f.name) ../.);
  };

  # The NAR hash of what `go mod vendor` writes: `make nix-eval` renews it.
  vendorHash = "sha256-C97RBgl32DwW2VQEsLfQfWypkwy2HNqlFVbjpPhPdUQ=";

  subPackages = [
    "cmd/sessiondbd"
    "cmd/sessiondbd-metrics"
  ];
  env.CGO_ENABLED = 0; # one static binary
  ldflags = [
    "-s"
    "-w"
    "-X main.version=${version}"
    "-X main.commit=${commit}"
  ];

  # The tests want root, namespaces and PostgreSQL: `make test`, and checks of the flake.
  doCheck = false;

  # The units' text has one source; only the place of the program differs.
  postInstall = ''
    for unit in deploy/systemd/*.service deploy/systemd/*.path deploy/systemd/*.socket deploy/systemd/*.timer; do
      install -D -m 0644 "$unit" "$out/lib/systemd/system/''${unit##*/}"
      sed -i "s|/usr/bin/sessiondbd|$out/bin/sessiondbd|g" "$out/lib/systemd/system/''${unit##*/}"
    done
    install -D -m 0644 deploy/systemd/sessiondbd.tmpfiles "$out/lib/tmpfiles.d/sessiondbd.conf"
    install -D -m 0644 deploy/config.yaml "$out/share/doc/sessiondbd/config.yaml"
    # Generated files, each where its reader looks for it.
    for file in deploy/man/*.8; do
      [ ! -e "$file" ] || install -D -m 0644 "$file" "$out/share/man/man8/''${file##*/}"
    done
    for file in deploy/completions/*; do
      case "$file" in
        *.bash) install -D -m 0644 "$file" "$out/share/bash-completion/completions/sessiondbd.bash" ;;
        *.zsh | */_sessiondbd) install -D -m 0644 "$file" "$out/share/zsh/site-functions/_sessiondbd" ;;
        *.fish) install -D -m 0644 "$file" "$out/share/fish/vendor_completions.d/sessiondbd.fish" ;;
      esac
    done
    for file in deploy/*/*.catalog; do
      [ ! -e "$file" ] || install -D -m 0644 "$file" "$out/lib/systemd/catalog/''${file##*/}"
    done
  '';

  doInstallCheck = stdenv.buildPlatform.canExecute stdenv.hostPlatform;
  installCheckPhase = ''
    runHook preInstallCheck
    "$out/bin/sessiondbd" version | grep -F "sessiondbd ${version}"
    "$out/bin/sessiondbd" --config deploy/config.yaml config show >/dev/null
    runHook postInstallCheck
  '';

  meta = {
    description = "Keeps a hypervisor's session database as its config says: schema, roles, access and firewall";
    mainProgram = "sessiondbd";
    platforms = [
      "x86_64-linux"
      "aarch64-linux"
    ];
  };
}
