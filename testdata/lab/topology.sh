# The seed's network, built in a guest of user-mode-linux (sh -e, as root). All
# of it goes through a few "ip -batch" runs: starting a process is dear there.
#
#   vm_a eth0 -- 023471 -[br0 10.1.16.165]- bond0(eth0,eth1)      NC1, "this host": the root namespace
#                                             |    |
#                                           nc1p0 nc1p1  = to_nc1   \
#                      vm_c, st1..st3 -- plain ports                } namespace switch, bridge sw
#                                           nc2p0 nc2p1  = to_nc2   /
#                                             |    |
#   vm_b eth0 -- 061606 -[br0 10.1.16.55 ]- bond0(eth0,eth1)      NC2, namespace nc2
#
# vm_a and vm_c also have VLAN 100 (192.168.48.0/24). vm_d (192.168.49.111) sits
# behind vnet7 on br7, whose other port is a VXLAN to st3 (192.168.49.113).
#
# All bonds are 802.3ad, layer3+4. Member ports are limited on both sides.
# Parameters: RATE, QUEUE (bytes; 625000 = 250 ms at 20 Mbit/s), BURST (bytes),
# SUPERFRAMES (on = TCP hands frames of up to 64 KiB to the NIC).
: "${RATE:=20mbit}" "${QUEUE:=625000}" "${BURST:=8000}" "${SUPERFRAMES:=off}"
sysctl -qw net.core.devconf_inherit_init_net=1 net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1

nodes="switch nc2 vm_a vm_b vm_c vm_d st1 st2 st3"
{
	for n in $nodes; do echo "netns add $n"; done
	echo "link add dev eth0 netns nc2 type veth peer name nc2p0 netns switch"
	echo "link add dev eth1 netns nc2 type veth peer name nc2p1 netns switch"
	echo "link add dev 061606 netns nc2 type veth peer name eth0 netns vm_b"
	for n in vm_c st1 st2 st3; do echo "link add dev eth0 netns $n type veth peer name $n netns switch"; done
	# NC1's last: a name must be free here while a device is made for another namespace.
	echo "link add dev eth0 type veth peer name nc1p0 netns switch"
	echo "link add dev eth1 type veth peer name nc1p1 netns switch"
	echo "link add dev 023471 type veth peer name eth0 netns vm_a"
	echo "link add dev vnet7 type veth peer name eth0 netns vm_d"
} | ip -batch -

# bond NAME MEMBER MEMBER; the order of enslaving is the order of the hash.
bond() {
	echo "link add dev $1 type bond mode 802.3ad xmit_hash_policy layer3+4 miimon 100 lacp_rate fast"
	for m in "$2" "$3"; do
		echo "link set dev $m master $1"
		echo "link set dev $m up"
	done
	echo "link set dev $1 up"
}
# bridge NAME PORT...
bridge() {
	echo "link add dev $1 type bridge forward_delay 0"
	name=$1
	shift
	for p in "$@"; do
		echo "link set dev $p master $name"
		echo "link set dev $p up"
	done
	echo "link set dev $name up"
}
# address DEV ADDRESS
address() {
	[ "$SUPERFRAMES" = on ] || echo "link set dev $1 gso_max_segs 1"
	echo "addr add $2/24 dev $1"
	echo "link set dev lo up"
	echo "link set dev $1 up"
}
mac() { echo "link set dev eth0 address $1"; }

vlan() { # vlan ADDRESS
	echo "link add dev eth0.100 link eth0 type vlan id 100"
	address eth0.100 "$1"
}
# vxlan LOCAL REMOTE: one source port, so that all of it takes one member (eth0).
vxlan() { echo "link add dev vxlan7 type vxlan id 7 local $1 remote $2 dstport 4789 srcport 50000 50001"; }

{
	bond bond0 eth0 eth1
	bridge br0 bond0 023471
	address br0 10.1.16.165
	vxlan 10.1.16.165 10.1.16.73
	bridge br7 vxlan7 vnet7
} | ip -batch -
{ bond bond0 eth0 eth1; bridge br0 bond0 061606; address br0 10.1.16.55; } | ip -n nc2 -batch -
{ bond to_nc1 nc1p0 nc1p1; bond to_nc2 nc2p0 nc2p1; bridge sw to_nc1 to_nc2 vm_c st1 st2 st3; } | ip -n switch -batch -
{ mac 52:54:00:00:00:0a; address eth0 192.168.47.111; vlan 192.168.48.111; } | ip -n vm_a -batch -
{ mac 52:54:00:00:00:0b; address eth0 192.168.47.127; } | ip -n vm_b -batch -
{ mac 52:54:00:00:00:0c; address eth0 192.168.47.113; vlan 192.168.48.113; } | ip -n vm_c -batch -
{ mac 52:54:00:00:00:0d; echo "link set dev eth0 mtu 1450"; address eth0 192.168.49.111; } | ip -n vm_d -batch -
for i in 1 2; do address eth0 10.1.16.7$i | ip -n st$i -batch -; done
{ address eth0 10.1.16.73; vxlan 10.1.16.73 10.1.16.165; address vxlan7 192.168.49.113; } | ip -n st3 -batch -

# A host's own flows meet its own queue as far as TCP small queues let them. A
# VM's frames have left their socket when they reach the host, and so have those
# that a switch forwards: the netem in front takes a frame from its sender, and
# scenarios add delay and loss to it.
limit() { echo "tbf rate $RATE burst $BURST limit $QUEUE"; }
loose="handle 1: netem rate 100gbit limit 4000"
for p in eth0 eth1; do echo "qdisc add dev $p root handle 2: $(limit)"; done >/run/own.tc
for p in nc1p0 nc1p1 nc2p0 nc2p1; do
	echo "qdisc add dev $p root $loose"
	echo "qdisc add dev $p parent 1: handle 2: $(limit)"
done >/run/ports.tc
tc -batch /run/own.tc
tc -n nc2 -batch /run/own.tc
tc -n switch -batch /run/ports.tc
for n in vm_a vm_b; do tc -n $n qdisc add dev eth0 root $loose; done
