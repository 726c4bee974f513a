#!/bin/sh
# Installs what the lab needs on Debian and is missing; touches nothing that is there. As root: make setup. With the
# argument demo less: only what the demo wants, which should not keep a newcomer waiting.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
PATH=/usr/local/sbin:$PATH:/usr/sbin:/sbin

missing=
# need PACKAGE COMMAND…: the package is missing if the command fails.
need() {
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}
server() { ls /usr/lib/postgresql/*/bin/initdb; }

need mmdebstrap command -v mmdebstrap
need systemd-container command -v systemd-nspawn
need iptables command -v iptables-restore
need nftables command -v nft
need iproute2 command -v ip
need procps command -v sysctl
need postgresql server
need postgresql-client command -v psql
need python3-psycopg2 /usr/bin/python3 -c 'import psycopg2'
need nodejs command -v node
need npm command -v npm
need ca-certificates test -s /etc/ssl/certs/ca-certificates.crt
if [ "${1:-}" != demo ]; then
	need pgbouncer command -v pgbouncer
	need qemu-user-static command -v qemu-aarch64-static
	need nix-bin command -v nix-instantiate
	# go test -race wants a C compiler.
	need gcc command -v gcc
	need libc6-dev test -e /usr/include/stdlib.h
fi
need debian-archive-keyring test -s /usr/share/keyrings/debian-archive-keyring.gpg

if [ -z "$missing" ]; then
	echo "setup: nothing is missing"
	exit 0
fi
echo "setup: missing:$missing"
if [ "$(id -u)" != 0 ]; then
	echo "setup: run as root: sudo make setup" >&2
	exit 77
fi
if ! command -v apt-get >/dev/null; then
	echo "setup: no apt-get here; install by hand:$missing" >&2
	exit 69
fi

log=$(mktemp)
conf=
policy=
cleanup() {
	rm -f "$log"
	[ -z "$conf" ] || rm -f "$conf"
	[ -z "$policy" ] || rm -f "$policy"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

# quiet LIMIT COMMAND…: its output is shown only if it fails.
quiet() {
	if ! timeout "$@" >"$log" 2>&1 </dev/null; then
		tail -n 30 "$log" >&2
		return 1
	fi
}

case $missing in *" postgresql"*)
	# The lab wants the programs only: no cluster of the machine's own that would start by itself.
	if ! server >/dev/null 2>&1; then
		mkdir -p /etc/postgresql-common/createcluster.d
		conf=/etc/postgresql-common/createcluster.d/zz-sessiondbd-lab.conf
		echo 'create_main_cluster = false' >"$conf"
	fi
	;;
esac

# Programs only: no service of theirs starts on this machine because the lab wants them.
if [ ! -e /usr/sbin/policy-rc.d ]; then
	policy=/usr/sbin/policy-rc.d
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
fi

echo "setup: reading package lists"
quiet 300 apt-get -o DPkg::Lock::Timeout=120 update || echo "setup: lists are incomplete, trying all the same" >&2
echo "setup: installing"
# shellcheck disable=SC2086 # a list of packages
if ! quiet 900 apt-get -o DPkg::Lock::Timeout=120 install -y -q --no-install-recommends $missing; then
	echo "setup: could not install$missing" >&2
	exit 69
fi
echo "setup: done"
