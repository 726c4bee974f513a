# The lines of pg_hba.conf: who may come in from where, then the closing reject of our roles. internal/server writes the
# same ones where it may write; a test holds the two together.
{ lib }:
rec {
  owner = "sessiondb_owner"; # the contract's

  # The product's default role, whose networks are named one by one.
  documentedRole = settings: {
    name = "sessionuser";
    access = "readwrite";
    networks = map (n: n.name) settings.networks;
  };

  rolesOf = settings: if settings.roles == null then [ (documentedRole settings) ] else settings.roles;

  documentedCredential = "sessionuser.password";

  # The credentials that roles name, but for the one that the unit of the package loads already.
  credentialsIn =
    settings:
    lib.filter (c: c != null && c != documentedCredential) (
      map (r: if (r.password or null) == null then null else r.password.credential or null) (rolesOf settings)
    );

  # PostgreSQL manual, 21.1: keywords lose their meaning in quotes.
  quote = name: if builtins.match "[A-Za-z_][A-Za-z0-9_-]*" name != null then name else ''"${name}"'';

  addressOf =
    source:
    if lib.hasInfix "/" source then
      source
    else
      "${source}/${if lib.hasInfix ":" source then "128" else "32"}";

  # A role that names no networks comes from all of them, and from what the firewall lets in besides.
  sourcesOf =
    settings: role:
    if role.access == "none" then
      [ ]
    else if role.networks == null then
      map (n: n.subnet) settings.networks ++ map (a: addressOf a.source) settings.firewall.allow
    else
      map (n: n.subnet) (lib.filter (n: lib.elem n.name role.networks) settings.networks);

  accepts =
    settings:
    lib.concatMap (
      role:
      map (source: "host  ${quote settings.database.name}  ${quote role.name}  ${source}  scram-sha-256") (
        sourcesOf settings role
      )
    ) (rolesOf settings);

  rejects =
    settings:
    let
      ours = lib.concatMapStringsSep "," quote (map (r: r.name) (rolesOf settings) ++ [ owner ]);
    in
    [
      "local all,replication  ${ours}  reject"
      "host  all,replication  ${ours}  all  reject"
    ];

  lines = settings: accepts settings ++ rejects settings;

  # The same door as a rule of nftables. An interface that is not known is left out: the guard in mangle knows it.
  nftables =
    port: interface: source:
    lib.optionalString (interface != null && interface != "auto") ''iifname "${interface}" ''
    + "${if lib.hasInfix ":" source then "ip6" else "ip"} saddr ${source} tcp dport ${toString port} accept";

  # Whether a connection string leads to this host's own socket.
  onSocket =
    url:
    let
      keyword = builtins.match ".*host='?([^ &']*).*" url;
      authority = builtins.match "[a-z]+://([^/?]*).*" url;
      host =
        if keyword != null then
          lib.head keyword
        else if authority != null then
          lib.last (lib.splitString "@" (lib.head authority))
        else
          "";
    in
    host == "" || lib.hasPrefix "/" host || lib.hasPrefix "%2f" (lib.toLower host);

  # A text of pg_hba.conf as a list of rules in one spelling.
  rulesIn =
    text:
    let
      words = line: lib.filter (w: w != "") (lib.splitString " " (lib.replaceStrings [ "\t" ] [ " " ] line));
      plain = line: lib.concatStringsSep " " (words (lib.head (lib.splitString "#" line)));
    in
    lib.filter (rule: rule != "") (map plain (lib.splitString "\n" text));

  # Those of the lines that a text lacks.
  missing = text: wanted: lib.filter (line: !lib.elem (lib.head (rulesIn line)) (rulesIn text)) wanted;

  # The rules of others that stand before the last of ours and decide for the VMs instead: the first match wins.
  before =
    settings: text:
    let
      ours = lib.concatMap rulesIn (lines settings);
      rules = rulesIn text;
      upTo =
        rest: seen:
        if rest == [ ] || !lib.any (r: lib.elem r ours) rest then seen else upTo (lib.tail rest) (seen ++ [ (lib.head rest) ]);
      names = map (r: quote r.name) (rolesOf settings);
      decides =
        rule:
        let
          fields = lib.splitString " " rule;
          field = lib.elemAt fields;
        in
        lib.length fields > 4
        && lib.hasPrefix "host" rule
        && !lib.elem rule ours
        && lib.any (d: lib.elem d [ "all" (quote settings.database.name) ]) (lib.splitString "," (field 1))
        && lib.any (u: lib.elem u ([ "all" ] ++ names)) (lib.splitString "," (field 2))
        && !lib.any (a: lib.hasPrefix a (field 3)) [ "127." "::1" "localhost" "samehost" ];
    in
    lib.filter decides (upTo rules [ ]);
}
