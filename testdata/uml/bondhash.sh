# In the guest: a bond of three members, enslaved in an order that is neither
# that of their names nor of their numbers; flows under every policy, with all
# members, with one down, and after one was taken out and put back.
ip netns add peer
bond() { ip $1 link add bond0 type bond mode 802.3ad miimon 100 lacp_rate fast; }
bond
bond "-n peer"
for i in 0 1 2; do ip link add eth$i type veth peer name p$i netns peer; done
for i in 1 0 2; do
	ip link set eth$i master bond0
	ip -n peer link set p$i master bond0
	ip link set eth$i up
	ip -n peer link set p$i up
done
ip link set bond0 up
ip -n peer link set bond0 up
ip link add link bond0 name bond0.100 type vlan id 100
ip link set bond0.100 up
ip addr add 10.1.0.1/24 dev bond0
ip addr add 10.2.0.1/24 dev bond0.100
ip addr add fd00:1::1/64 dev bond0 nodad
for i in 2 3 4 5 6 7 8 9; do # nobody is there: next hops with MACs of their own
	echo "neigh add 10.1.0.$i lladdr 02:00:00:00:01:0$i dev bond0 nud permanent"
	echo "neigh add 10.2.0.$i lladdr 02:00:00:00:02:1$i dev bond0.100 nud permanent"
	echo "neigh add fd00:1::$i lladdr 02:00:00:00:03:2$i dev bond0 nud permanent"
done | ip -batch -

pids=
for i in 0 1 2; do
	# -s: of frames of 256 kB its ring holds too few for a cell's
	tcpdump -i eth$i -Q out -U --immediate-mode -s 192 -B 4096 -Z root -w /run/out/eth$i.pcap not ether proto 0x8809 2>/run/out/eth$i.err &
	pids="$pids $!"
done
"$SPIKETOP_FLOWS" wait 3
cell=0
policies() {
	for policy in layer2 layer2+3 layer3+4 encap2+3 vlan+srcmac; do
		ip link set bond0 type bond xmit_hash_policy $policy
		cell=$((cell + 1))
		"$SPIKETOP_FLOWS" $cell >>/run/out/cells
	done
}
policies
ip -n peer link set p0 down
"$SPIKETOP_FLOWS" wait 2
policies
ip -n peer link set p0 up
ip link set eth1 nomaster
ip link set eth1 master bond0
ip link set eth1 up
"$SPIKETOP_FLOWS" wait 3
policies
sleep 2 # frames may lie in their rings for a second
kill $pids
wait
