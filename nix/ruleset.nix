# What a text of nftables does to the VMs' connections, as far as reading it tells: a packet must pass every base chain, so
# that an accept of ours, in another table, cannot help against a drop there.
{ lib }:
let
  clean =
    line:
    let
      text = builtins.match "[ \t]*(.*[^ \t])[ \t]*" (lib.head (lib.splitString "#" line));
    in
    if text == null then "" else lib.head text;

  words =
    line:
    lib.filter (w: w != "") (
      lib.splitString " " (lib.replaceStrings [ "," "{" "}" ";" "\t" "\"" ] [ " " " " " " " " " " " " ] line)
    );

  # The chains of a text: { hook, lines }, hook null for one that others jump to.
  chainsIn =
    text:
    let
      step =
        acc: line:
        let
          opens = lib.hasPrefix "chain " line;
          hook = builtins.match ".*hook +([a-z]+).*" line;
          so-far = if opens then empty else acc.chain;
          whole = opens && lib.hasSuffix "}" line; # all of it in one line
          chain = {
            hook = if hook != null then lib.head hook else so-far.hook;
            lines = so-far.lines ++ [ line ];
          };
        in
        if opens then
          {
            done = acc.done ++ lib.optional whole chain;
            inherit chain;
            open = !whole;
          }
        else if !acc.open then
          acc
        else if line == "}" then
          acc // { done = acc.done ++ [ acc.chain ]; open = false; }
        else
          acc // { inherit chain; };
      empty = {
        hook = null;
        lines = [ ];
      };
    in
    (lib.foldl' step {
      done = [ ];
      chain = empty;
      open = false;
    } (map clean (lib.splitString "\n" text))).done;

  # Whether a rule is about a network, or about everybody: yes, no, or not to be told from the text (null).
  about =
    network: line:
    let
      w = words line;
      names = lib.filter (x: x != "auto") [ network.interface ] ++ [ network.subnet ];
      wildcard = x: lib.hasSuffix "*" x && lib.hasPrefix (lib.removeSuffix "*" x) network.interface;
      # The bridge of an automatic network is not known here; one that bears the network's name is likely it.
      likely = x: network.interface == "auto" && (lib.hasSuffix network.name x || lib.hasSuffix "*" x);
      selective = lib.any (x: lib.elem x [ "iifname" "iif" "saddr" ]) w;
      # A wider network may hold this one, a narrower one its VM.
      near = x: lib.hasPrefix "${lib.head (lib.splitString "." network.subnet)}." x;
      unknown = x: lib.hasPrefix "@" x || lib.hasPrefix "$" x || x == "!=" || near x;
    in
    if lib.any (x: lib.elem x names || wildcard x || likely x) w then
      true
    else if selective && lib.any unknown w then
      null
    else
      !selective;

  # What a rule says to a new connection to the port: "accept", "drop", "unsure", or null for nothing.
  verdict =
    port: network: line:
    let
      w = words line;
      has = x: lib.elem x w;
      other =
        has "ct" || has "icmp" || has "icmpv6" || has "hook"
        || (has "udp" && !has "tcp")
        || ((has "dport" || has "sport") && !has (toString port) && !has "postgresql" && !lib.any unknown w);
      unknown = x: lib.hasPrefix "@" x || lib.hasPrefix "$" x || builtins.match "[0-9]+-[0-9]+" x != null;
      says =
        if has "accept" then
          "accept"
        else if has "drop" || has "reject" then
          "drop"
        else
          null;
      for = about network line;
    in
    if says == null || other || for == false then
      null
    else if for == null || (has "dport" && lib.any unknown w) then
      "unsure"
    else
      says;

  judge =
    port: network: all: chain:
    let
      jumps = lib.any (l: lib.any (x: lib.elem x [ "jump" "goto" "vmap" ]) (words l)) chain.lines;
      reachable = chain.lines ++ lib.optionals jumps (lib.concatMap (c: c.lines) (lib.filter (c: c.hook == null) all));
      rules = lib.filter (l: !lib.hasInfix "policy" l) reachable;
      decisive = lib.filter (v: v != null) (map (verdict port network) rules);
      closed = lib.any (l: builtins.match ".*policy +drop.*" l != null) chain.lines;
    in
    if decisive != [ ] then
      lib.head decisive
    else if closed then
      "drop"
    else
      "accept";
in
{
  # The networks whose connections to the port a text drops for sure.
  dropped =
    {
      text,
      port,
      networks,
    }:
    let
      all = chainsIn text;
      inputs = lib.filter (c: c.hook == "input") all;
    in
    lib.filter (n: lib.any (c: judge port n all c == "drop") inputs) networks;
}
