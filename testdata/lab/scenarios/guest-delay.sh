# what: netem inside vm_a delays its answers by 150 ms; it is pinged from outside
# needs: path
# pings: vm
# trigger: rtt outstanding
# segment: guest
# cause: none
ip netns exec vm_b ping -q -i 0.1 -c 100 192.168.47.111 >/dev/null &
sleep 5
tc -n vm_a qdisc change dev eth0 root handle 1: netem rate 100gbit limit 4000 delay 150ms
sleep 0.6
tc -n vm_a qdisc change dev eth0 root handle 1: netem rate 100gbit limit 4000 delay 0
wait
