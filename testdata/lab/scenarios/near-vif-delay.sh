# what: netem on this host's vif delays what goes to vm_a by 150 ms
# needs: path
# pings: vm
# trigger: rtt outstanding
# segment: virtual network
# cause: none
tc qdisc add dev 023471 root netem delay 150ms
sleep 0.6
tc qdisc del dev 023471 root
