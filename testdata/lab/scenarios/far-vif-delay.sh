# what: netem on the far host's vif delays what goes to vm_b by 150 ms
# needs: path
# pings: vm
# trigger: rtt outstanding
# segment: physical network, far host
# cause: none
tc -n nc2 qdisc add dev 061606 root netem delay 150ms
sleep 0.6
tc -n nc2 qdisc del dev 061606 root
