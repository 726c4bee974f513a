# The VMs' networks, from the host's own attribute set to the list that sessiondbd's config wants.
{ lib }:
rec {
  # "10.1.0" and "10.1.0.0/24" are the same network: hosts keep either.
  cidr = subnet: if builtins.match "[0-9]+[.][0-9]+[.][0-9]+" subnet != null then "${subnet}.0/24" else subnet;

  # The first address of a network, which hypervisors give to their bridge.
  firstAddress =
    name: network:
    let
      v4 = builtins.match "([0-9]+[.][0-9]+[.][0-9]+[.])([0-9]+)/[0-9]+" network;
      v6 = builtins.match "(.*::)/[0-9]+" network;
    in
    if v4 != null then
      "${lib.head v4}${toString (lib.toIntBase10 (lib.last v4) + 1)}"
    else if v6 != null then
      "${lib.head v6}1"
    else
      throw "services.sessiondb.networks.${name}: the first address of ${network} cannot be told from its text; set gateway";

  toSettings =
    networks:
    lib.mapAttrsToList (
      name: n:
      let
        subnet = cidr n.subnet;
      in
      {
        inherit name subnet;
        gateway = if n.gateway != null then n.gateway else firstAddress name subnet;
        interface = if n.bridge != null then n.bridge else "auto";
      }
    ) networks;

  # The documented hypervisor.
  documented = lib.genAttrs (map (n: "vm${toString n}") (lib.range 1 5)) (name: {
    subnet = "10.${lib.removePrefix "vm" name}.0.0/24";
  });
}
