# In the guest: a host with the real bonding driver (802.3ad, LACP) under a
# bridge, whose switch loses a member's port and gets it back.
ip netns add peer
bond() { ip $1 link add bond0 type bond mode 802.3ad xmit_hash_policy layer3+4 miimon 100 lacp_rate fast; }
bond
bond "-n peer"
for i in 0 1; do
	ip link add eth$i type veth peer name p$i netns peer
	ip link set eth$i master bond0
	ip -n peer link set p$i master bond0
	ip link set eth$i up
	ip -n peer link set p$i up
done
ip link add br0 type bridge
ip link set bond0 master br0
for d in bond0 br0; do ip link set $d up; done
ip -n peer link set bond0 up
ip addr add 10.1.16.165/24 dev br0
ip -n peer addr add 10.1.16.1/24 dev bond0
ip route add default via 10.1.16.1
sleep 6 # LACP

"$SPIKETOP_PROGRAM" headless --incidents /run/incidents --for 30s >/run/out/events 2>/run/out/stderr &
pid=$!
sleep 6
ip -n peer link set p0 down
sleep 12 # a summary comes every 10 s
ip -n peer link set p0 up
wait $pid
