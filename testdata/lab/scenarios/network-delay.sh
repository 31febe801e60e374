# what: the network delays the member's frames by 150 ms for 0.6 s, the links are calm
# subset: eth1
# trigger: rtt outstanding
# segment: physical network
# cause: none
tc -n switch qdisc change dev $PORT root handle 1: netem rate 100gbit limit 4000 delay 150ms
sleep 0.6
tc -n switch qdisc change dev $PORT root handle 1: netem rate 100gbit limit 4000 delay 0
