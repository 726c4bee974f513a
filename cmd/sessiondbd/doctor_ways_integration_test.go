//go:build integration

package main

import "sessiondbd/internal/operate"

// wayTroubles are gateways on the wrong interface, and answers that do not find back. VM 3 has been met where it is.
var wayTroubles = []trouble{
	{
		name: "a gateway on two interfaces", do: met3 + "; ip addr add 10.3.0.1/24 dev br-vm1", undo: "ip addr del 10.3.0.1/24 dev br-vm1", area: operate.AreaNetworks, severity: operate.Broken,
		says: "vm3: its gateway 10.3.0.1 is on br-vm1 and br-vm3 at once", remedy: "sudo ip address del 10.3.0.1/24 dev br-vm1", vm: "vm3", ends: "guard",
	},
	{
		name: "the rules of a gateway on two interfaces", do: "ip addr add 10.3.0.1/24 dev br-vm1", undo: "ip addr del 10.3.0.1/24 dev br-vm1", area: operate.AreaFirewall, severity: operate.Broken,
		says: "firewall/ipv4 differs from the config", remedy: "and apply only once no gateway is on two interfaces", vm: "vm3", ends: "guard",
	},
	{
		name: "a gateway on two interfaces to which the rules have gone", do: met3 + "; ip addr add 10.3.0.1/24 dev br-vm1; sessiondbd apply --only firewall",
		undo: "sudo ip address del 10.3.0.1/24 dev br-vm1; sudo sessiondbd apply --only firewall", area: operate.AreaNetworks, severity: operate.Broken,
		says: "10.3.0.1 is on br-vm1 and br-vm3 at once", remedy: "sudo ip address del 10.3.0.1/24 dev br-vm1", vm: "vm3",
	},
	{
		name: "a gateway on the wrong bridge", area: operate.AreaNetworks, severity: operate.Risk, vm: "vm3",
		do:   "ip addr del 10.3.0.1/24 dev br-vm3; ip addr add 10.3.0.1/24 dev br-vm1; ip neigh flush to 10.3.0.0/24; ip neigh replace 10.3.0.2 lladdr 02:00:00:00:00:03 dev br-vm3; sessiondbd apply --only firewall",
		undo: "sudo ip address del 10.3.0.1/24 dev br-vm1 && sudo ip address add 10.3.0.1/24 dev br-vm3; ip neigh flush to 10.3.0.0/24; sudo sessiondbd apply --only firewall",
		says: "vm3: the VM has been met on br-vm3, its gateway 10.3.0.1 is on br-vm1", remedy: "sudo ip address del 10.3.0.1/24 dev br-vm1 && sudo ip address add 10.3.0.1/24 dev br-vm3",
	},
	{
		name: "no route back", do: "ip route del 10.3.0.0/24", area: operate.AreaNetworks, severity: operate.Broken,
		says: "vm3: answers from 10.3.0.1 to 10.3.0.", remedy: "sudo ip route replace 10.3.0.0/24 dev br-vm3 src 10.3.0.1", vm: "vm3", ends: "route",
	},
	{
		name: "a route that swallows answers", do: "ip route add blackhole 10.3.0.0/28", undo: "ip route del blackhole 10.3.0.0/28", area: operate.AreaNetworks, severity: operate.Broken,
		says: "are not sent: no route leads there: a route says blackhole", remedy: "ip route show table all match 10.3.0.", vm: "vm3", ends: "route",
	},
	{
		name: "a route that prohibits answers", do: "ip route add prohibit 10.3.0.0/28", undo: "ip route del prohibit 10.3.0.0/28", area: operate.AreaNetworks, severity: operate.Broken,
		says: "a route says prohibit", vm: "vm3", ends: "route",
	},
	{
		name: "a gateway without its subnet", do: "ip addr del 10.3.0.1/24 dev br-vm3; ip addr add 10.3.0.1/32 dev br-vm3", undo: "ip addr del 10.3.0.1/32 dev br-vm3; ip addr add 10.3.0.1/24 dev br-vm3",
		area: operate.AreaNetworks, severity: operate.Broken, says: "vm3: answers from 10.3.0.1 to 10.3.0.", remedy: "sudo ip route replace 10.3.0.0/24 dev br-vm3 src 10.3.0.1", vm: "vm3", ends: "route",
	},
	{
		name: "a host's route elsewhere", do: "ip route add 10.3.0.2 dev br-vm1", undo: "ip route del 10.3.0.2 dev br-vm1", area: operate.AreaNetworks, severity: operate.Broken,
		says: "answers from 10.3.0.1 to 10.3.0.2 leave by br-vm1, and not by br-vm3", vm: "vm3", ends: "route",
	},
}

// met3 has the host meet VM 3.
const met3 = "ping -c1 -W2 10.3.0.2 >/dev/null || ip neigh replace 10.3.0.2 lladdr 02:00:00:00:00:03 dev br-vm3"
