# Runs once inside the fresh root: what a server would have, less what only costs time in a container.
rm -f /etc/systemd/system/timers.target.wants/* /etc/systemd/system/getty.target.wants/* \
	/etc/systemd/system/multi-user.target.wants/e2scrub_reap.service \
	/etc/systemd/system/sysinit.target.wants/systemd-pstore.service
echo hypervisor >/etc/hostname
echo '127.0.0.1 localhost hypervisor' >/etc/hosts
mkdir -p /etc/systemd/system/sysinit.target.wants
# systemd-nspawn mounts /proc/sys read-only when it is given a network namespace; a host may set net.* in its own.
cat >/etc/systemd/system/lab-sysctl.service <<'EOF'
[Unit]
Description=Make /proc/sys/net writable
DefaultDependencies=no
Before=systemd-sysctl.service sysinit.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=mount --bind /proc/sys/net /proc/sys/net
ExecStart=mount -o remount,bind,rw /proc/sys/net
EOF
ln -sf ../lab-sysctl.service /etc/systemd/system/sysinit.target.wants/lab-sysctl.service
