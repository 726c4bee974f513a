# A hypervisor with two VMs and somebody outside, booted by NixOS's own test driver: nix build ./nix#checks.SYSTEM.hypervisor
{ module }:
let
  password = "a password of this test";
  bridge = n: "br-vm${toString n}";
  static = address: {
    ipv4.addresses = [
      {
        inherit address;
        prefixLength = 24;
      }
    ];
  };
  peer =
    vlan: address: gateway:
    { lib, pkgs, ... }:
    {
      virtualisation.vlans = [ vlan ];
      networking.useDHCP = false;
      networking.interfaces.eth1 = lib.mkForce (static address);
      networking.defaultGateway = gateway;
      environment.systemPackages = [ pkgs.postgresql ];
    };
in
{
  name = "sessiondbd-hypervisor";

  nodes.hypervisor =
    { lib, ... }:
    {
      imports = [ module ];
      services.sessiondb = {
        enable = true;
        passwordFile = "/run/secrets/sessionuser.password";
        networks = {
          vm1 = {
            subnet = "10.1.0";
            bridge = bridge 1;
          };
          vm2 = {
            subnet = "10.2.0";
            bridge = bridge 2;
          };
        };
      };
      # A real host has sops-nix or agenix for this.
      systemd.tmpfiles.rules = [
        "d /run/secrets 0700 root root -"
        "f /run/secrets/sessionuser.password 0600 root root - ${password}"
      ];

      # The host's rules as the documented hypervisor writes them itself: every reload flushes the ruleset.
      networking.firewall.enable = false;
      networking.nftables.enable = true;
      networking.nftables.ruleset = ''
        table inet filter {
          chain input {
            type filter hook input priority filter; policy drop;
            iifname "lo" accept
            ct state { established, related } accept
            icmp type echo-request accept
            iifname { "${bridge 1}", "${bridge 2}" } accept
            tcp dport 5432 accept comment "open on purpose: the guard has to hold"
          }
        }
      '';

      virtualisation.vlans = [
        1
        2
        9
      ];
      boot.kernel.sysctl."net.ipv4.ip_forward" = 1;
      networking.useDHCP = false;
      networking.bridges.${bridge 1}.interfaces = [ "eth1" ];
      networking.bridges.${bridge 2}.interfaces = [ "eth2" ];
      networking.interfaces = lib.mkForce {
        ${bridge 1} = static "10.1.0.1";
        ${bridge 2} = static "10.2.0.1";
        eth3 = static "203.0.113.1";
      };
    };

  nodes.vm1 = peer 1 "10.1.0.2" "10.1.0.1";
  nodes.vm2 = peer 2 "10.2.0.2" "10.2.0.1";
  nodes.outside = peer 9 "203.0.113.2" "203.0.113.1";

  testScript = ''
    def query(host, sql, password="${password}"):
        return f"PGPASSWORD='{password}' PGCONNECT_TIMEOUT=5 psql -h {host} -U sessionuser -d sessiondb -Atc \"{sql}\""

    start_all()
    hypervisor.wait_for_unit("sessiondbd.service")
    for machine in [vm1, vm2, outside]:
        machine.wait_for_unit("multi-user.target")

    with subtest("every VM reads and writes"):
        for machine, host in [(vm1, "10.1.0.1"), (vm2, "10.2.0.1")]:
            machine.wait_until_succeeds(f"ping -c 1 {host}")
            machine.succeed(query(host, "INSERT INTO session (inbox_status) VALUES ('pending') RETURNING id"))
        assert vm1.succeed(query("10.1.0.1", "SELECT count(*) FROM session")).strip() == "2"

    with subtest("nobody else does"):
        outside.wait_until_succeeds("ping -c 1 203.0.113.1")
        for host in ["203.0.113.1", "10.1.0.1", "10.2.0.1"]:
            outside.fail(query(host, "SELECT 1"))
        vm1.fail(query("10.1.0.1", "SELECT 1", "sessionpass123"))

    with subtest("the configuration is all that is needed"):
        hypervisor.succeed("sessiondbd plan")
        hypervisor.succeed("sessiondbd status")
        hypervisor.succeed("systemctl status init-session-schema | grep -F sessiondbd.service")

    with subtest("a reload of nftables flushes, and the guard is back"):
        hypervisor.succeed("systemctl reload nftables.service")
        hypervisor.wait_until_succeeds("sessiondbd plan --only firewall")
        outside.fail(query("203.0.113.1", "SELECT 1"))
        vm2.succeed(query("10.2.0.1", "SELECT 1"))

    with subtest("PostgreSQL restarts without us"):
        hypervisor.succeed("systemctl restart postgresql.service")
        vm1.wait_until_succeeds(query("10.1.0.1", "SELECT 1"))
        hypervisor.require_unit_state("sessiondbd.service", "active")

    with subtest("and all of it again after a boot"):
        hypervisor.shutdown()
        hypervisor.start()
        hypervisor.wait_for_unit("sessiondbd.service")
        vm1.wait_until_succeeds(query("10.1.0.1", "SELECT count(*) FROM session"))
  '';
}
