# In the guest: a bond whose third member is wired to another switch, with
# flows of this host over the two others, while the network grows slow.
ip netns add peer
ip netns add other
bond() { ip $1 link add bond0 type bond mode 802.3ad xmit_hash_policy layer3+4 miimon 100 lacp_rate fast; }
bond
bond "-n peer"
bond "-n other"
member() { # number, namespace of the switch
	ip link add eth$1 type veth peer name p$1 netns $2
	ip link set eth$1 master bond0
	ip -n $2 link set p$1 master bond0
	ip link set eth$1 up
	ip -n $2 link set p$1 up
}
for ns in peer other; do ip -n $ns link set bond0 up; done
ip link set bond0 up
member 0 peer
member 1 peer
"$SPIKETOP_FLOWS" wait 2
member 2 other # later: the first aggregator stays the active one
ip addr add 10.1.0.1/24 dev bond0
ip -n peer addr add 10.1.0.2/24 dev bond0
ip addr add fd00:1::1/64 dev bond0 nodad
ip link add link bond0 name bond0.100 type vlan id 100
ip link set bond0.100 up
ip addr add 10.2.0.1/24 dev bond0.100
for i in 3 4 5 6 7 8 9; do
	echo "neigh add 10.1.0.$i lladdr 02:00:00:00:01:0$i dev bond0 nud permanent"
done | ip -batch -
for i in 2 3 4 5 6 7 8 9; do
	echo "neigh add 10.2.0.$i lladdr 02:00:00:00:02:1$i dev bond0.100 nud permanent"
	echo "neigh add fd00:1::$i lladdr 02:00:00:00:03:2$i dev bond0 nud permanent"
done | ip -batch -
"$SPIKETOP_PROGRAM" headless --ping 10.1.0.2 --link-speed eth0=1M --link-speed eth1=1M --link-speed eth2=1M --incidents /run/incidents --for 19s >/run/out/events 2>/run/out/stderr &
pid=$!
"$SPIKETOP_FLOWS" flood 17 &
sleep 8
tc -n peer qdisc add dev bond0 root netem delay 150ms
sleep 1
tc -n peer qdisc del dev bond0 root
wait $pid
set -- /run/incidents/*/ # the first one
cp "$1incident.json" "$1incident.md" /run/out/
