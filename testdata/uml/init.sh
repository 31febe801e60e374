#!/bin/sh
# Process 1 of the user-mode-linux guest: mounts what a system needs, runs the
# script named by SPIKETOP_SCRIPT on the kernel's command line, writes its exit
# status to the result folder and powers off. The root file system is the
# machine's own, read-only; only the result folder can be written.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmpfs /run # and not /tmp: the program under test may lie there
mkdir -p /run/out /run/m/lib
mount -t hostfs -o "$SPIKETOP_OUT" none /run/out
ln -s /usr/lib/uml/modules /run/m/lib/modules
for m in $(echo "$SPIKETOP_MODULES" | tr , " "); do modprobe -d /run/m "$m"; done
ip link set lo up
timeout "$SPIKETOP_LIMIT" sh -e "$SPIKETOP_SCRIPT" >/run/out/output 2>&1
echo $? >/run/out/status
sync
poweroff -f
