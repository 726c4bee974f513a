package firewall

import (
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// chainExists asks the kernel itself: iptables-nft prints the base chains of a table also when they do not exist.
func chainExists(f family, t table, chain string) (bool, error) {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return false, netlinkError("nftables", err)
	}
	defer c.Close()
	data, err := encode(f, func(ae *netlink.AttributeEncoder) {
		ae.String(unix.NFTA_CHAIN_TABLE, string(t))
		ae.String(unix.NFTA_CHAIN_NAME, chain)
	})
	if err != nil {
		return false, err
	}
	_, err = c.Execute(netlink.Message{Header: netlink.Header{Type: nftType(unix.NFT_MSG_GETCHAIN), Flags: netlink.Request}, Data: data})
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EAFNOSUPPORT), errors.Is(err, unix.EINVAL):
		return false, nil // the latter two: a kernel without nftables, or without this family
	}
	return false, netlinkError(fmt.Sprintf("nftables: chain %s %s %s", nftFamily(f), t, chain), err)
}

// deleteEmptyTable deletes a table unless something is left in it; the kernel decides which, in one transaction.
func deleteEmptyTable(f family, t table) error {
	c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return netlinkError("nftables", err)
	}
	defer c.Close()
	data, err := encode(f, func(ae *netlink.AttributeEncoder) { ae.String(unix.NFTA_TABLE_NAME, string(t)) })
	if err != nil {
		return err
	}
	batch := []byte{unix.AF_UNSPEC, 0, 0, unix.NFNL_SUBSYS_NFTABLES}
	_, err = c.SendMessages([]netlink.Message{
		{Header: netlink.Header{Type: unix.NFNL_MSG_BATCH_BEGIN, Flags: netlink.Request}, Data: batch},
		{Header: netlink.Header{Type: nftType(unix.NFT_MSG_DELTABLE), Flags: netlink.Request | netlink.Acknowledge | unix.NLM_F_NONREC}, Data: data},
		{Header: netlink.Header{Type: unix.NFNL_MSG_BATCH_END, Flags: netlink.Request}, Data: batch},
	})
	if err == nil {
		_, err = c.Receive()
	}
	if err == nil || errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return netlinkError(fmt.Sprintf("nftables: delete table %s %s", nftFamily(f), t), err)
}

func nftType(msg uint16) netlink.HeaderType {
	return netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | msg)
}

// encode puts the attributes behind struct nfgenmsg.
func encode(f family, attributes func(*netlink.AttributeEncoder)) ([]byte, error) {
	af := byte(unix.AF_INET)
	if f == ipv6 {
		af = unix.AF_INET6
	}
	ae := netlink.NewAttributeEncoder()
	attributes(ae)
	b, err := ae.Encode()
	if err != nil {
		return nil, fmt.Errorf("netlink: %w", err)
	}
	return append([]byte{af, 0, 0, 0}, b...), nil
}

func netlinkError(what string, err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%s: %w: %w: run it as root or with CAP_NET_ADMIN", what, ErrNotPermitted, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}
