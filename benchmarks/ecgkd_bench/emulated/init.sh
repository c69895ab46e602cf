#!/bin/busybox sh
# First process of the emulated machine: the least that sshd, adbd and Python need. Whole system in memory.
export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
/bin/busybox --install -s /usr/local/bin # where Debian has none of its own
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm /run/sshd
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t tmpfs -o mode=1777,size=256m tmpfs /tmp
hostname emulated-arm64
for module in $(cat /etc/modules); do insmod "$module"; done
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0
ip link set eth0 up
/usr/sbin/sshd
adbd=/usr/lib/android-sdk/platform-tools/adbd
(cd / && while :; do "$adbd" >/dev/null 2>&1 </dev/null; sleep 1; done) &
for port in 0016 15B3; do # 22 and 5555, listening
    until grep -q ":$port [0:.A-F]* 0A" /proc/net/tcp /proc/net/tcp6; do sleep 0.1; done
done
read up idle </proc/uptime
echo "ecgkd: ready after $up s"
while :; do sleep 60 & wait $!; done
