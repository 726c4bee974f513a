# Assertions and warnings, each with what to do about it.
{
  config,
  lib,
  ...
}:
let
  cfg = config.services.sessiondb;
  settings = cfg.settings;
  postgresql = config.services.postgresql;
  access = import ./access.nix { inherit lib; };
  ruleset = import ./ruleset.nix { inherit lib; };

  port = settings.firewall.port;
  here = access.onSocket settings.database.url;
  indented = lines: lib.concatMapStringsSep "\n" (l: "  ${l}") lines;

  shut = access.missing postgresql.authentication (access.accepts settings);
  loose = access.missing postgresql.authentication (access.rejects settings);
  earlier = access.before settings postgresql.authentication;
  addLines = ''
    Remove the override, or begin its text with ''${config.services.sessiondb.authentication}, which is:
    ${indented (access.lines settings)}'';

  inStore = path: builtins.isPath path || lib.hasPrefix "${builtins.storeDir}/" (toString path);
  secretFiles =
    lib.optional (cfg.passwordFile != null) {
      option = "passwordFile";
      path = cfg.passwordFile;
    }
    ++ lib.mapAttrsToList (name: path: {
      option = "credentials.\"${name}\"";
      inherit path;
    }) cfg.credentials
    ++ map (r: {
      option = "settings.roles: password.file of ${r.name}";
      path = r.password.file;
    }) (lib.filter (r: (r.password or null) != null && r.password ? file) (access.rolesOf settings));

  # A file that no role asks for is not what was meant.
  unused =
    cfg.passwordFile != null
    && settings.roles != null
    && !lib.any (r: r.password != null && r.password.credential or null == access.documentedCredential) settings.roles;

  documented = "sessionpass123"; # is in the documentation, and no secret
  withInitial = lib.filter (
    r: (r.password or null) != null && (r.password.initial or documented) != documented
  ) (access.rolesOf settings);

  oneshot = name: (config.systemd.services.${name} or { enable = false; }).enable;

  # Other tables than NixOS's own, whose accept this module adds.
  tables = lib.filterAttrs (name: t: t.enable && name != "nixos-fw") config.networking.nftables.tables;
  file = config.networking.nftables.rulesetFile;
  texts =
    [ config.networking.nftables.ruleset ]
    # One that is built is not there to be read yet.
    ++ lib.optional (builtins.isPath file) (builtins.readFile file)
    ++ lib.mapAttrsToList (_: t: t.content) tables;
  dropped =
    text:
    ruleset.dropped {
      inherit text port;
      inherit (settings) networks;
    };
  shutOut = lib.unique (lib.concatMap dropped texts);
  acceptLine = n: access.nftables port n.interface n.subnet;

  ensured = lib.filter (u: lib.elem u.name (map (r: r.name) (access.rolesOf settings))) postgresql.ensureUsers;
in
{
  assertions =
    map (s: {
      assertion = !inStore s.path;
      message = ''
        services.sessiondb.${s.option} would put a password into the Nix store, where everybody can read it. Give the path
        of a file on the host as a string, such as "/run/secrets/sessionuser.password" (sops-nix and agenix have it as
        config.….path), not as a Nix path.'';
    }) secretFiles
    ++ map (r: {
      assertion = false;
      message = ''
        services.sessiondb.settings.roles: the initial password of ${r.name} would lie in the Nix store, where everybody
        can read it. Delete `initial` and name a file in services.sessiondb.passwordFile (or credentials).'';
    }) withInitial
    ++ [
      {
        assertion = builtins.match ".*(password=|://[^/@]*:[^/@]*@).*" settings.database.url == null;
        message = ''
          services.sessiondb.settings.database.url holds a password, which would lie in the Nix store. Use the socket
          (host=/run/postgresql), or a passfile=PATH in the URL.'';
      }
      {
        assertion = !here || postgresql.enable;
        message = ''
          services.sessiondb needs PostgreSQL on this host: remove services.postgresql.enable = false, or name the server in
          services.sessiondb.settings.database.url.'';
      }
      {
        assertion = !here || shut == [ ];
        message = ''
          services.postgresql.authentication is overridden (mkOverride, mkForce) and lacks lines that let the VMs in.
          ${addLines}'';
      }
      {
        assertion = !here || (postgresql.settings.port or 5432) == port;
        message = ''
          services.sessiondb.settings.firewall.port is ${toString port}, PostgreSQL listens on
          ${toString (postgresql.settings.port or 5432)}: delete the former, it follows services.postgresql.settings.port.'';
      }
      {
        assertion = !oneshot "init-session-schema";
        message = ''
          systemd.services.init-session-schema is still defined. sessiondbd has taken its place (the name stays, as an
          alias of sessiondbd.service): delete the definition with its script. The data stays and is taken over.'';
      }
      {
        assertion = !oneshot "set-sessionuser-password";
        message = ''
          systemd.services.set-sessionuser-password is still defined and would set the password back at every boot: delete
          it, and name the file with the password in services.sessiondb.passwordFile.'';
      }
    ];

  warnings =
    lib.optional (here && shut == [ ] && loose != [ ]) ''
      services.sessiondb: services.postgresql.authentication is overridden and lacks the closing reject, so that our roles
      may come in from elsewhere, too.
      ${addLines}''
    ++ lib.optional (here && shut == [ ] && earlier != [ ]) ''
      services.sessiondb: lines of services.postgresql.authentication stand before ours and decide for the VMs, for the
      first match wins: ${lib.concatStringsSep "; " earlier}. Move them behind (lib.mkAfter).''
    ++ lib.optional (config.networking.nftables.enable && cfg.checkRuleset && shutOut != [ ]) ''
      services.sessiondb: networking.nftables drops the connections of ${lib.concatMapStringsSep ", " (n: n.name) shutOut} to
      port ${toString port}, and no accept of another table helps against that. Add to its input chain, before what drops
      them (services.sessiondb.checkRuleset = false if this is a misreading):
      ${indented (map acceptLine shutOut)}''
    ++ lib.optional (lib.elem port config.networking.firewall.allowedTCPPorts) (
      "services.sessiondb: networking.firewall.allowedTCPPorts "
      + (
        if config.networking.firewall.enable then
          "opens port ${toString port} to everybody; sessiondbd's guard keeps it shut all the same."
        else
          "names port ${toString port}, which has no effect while networking.firewall.enable is false."
      )
      + " Delete ${toString port} there: the VMs are let in without it."
    )
    ++ lib.optional unused ''
      services.sessiondb: nothing uses passwordFile, as no role of settings.roles takes the credential
      ${access.documentedCredential}. Set password.credential = "${access.documentedCredential}" for the role that it is for.''
    ++ lib.optional (here && lib.elem settings.database.name postgresql.ensureDatabases) ''
      services.sessiondb: services.postgresql.ensureDatabases names ${settings.database.name}, which sessiondbd creates with
      the right owner: delete it there.''
    ++ lib.optional (here && ensured != [ ]) ''
      services.sessiondb: services.postgresql.ensureUsers names ${lib.concatMapStringsSep ", " (u: u.name) ensured}, which
      sessiondbd keeps with its rights: delete it there.'';
}
