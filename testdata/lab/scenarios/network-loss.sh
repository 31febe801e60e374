# what: the network loses 30 % of the member's frames for 4 s
# incidents: 1-3
# trigger: loss
# segment: physical network
# cause: none
tc -n switch qdisc change dev $PORT root handle 1: netem rate 100gbit limit 4000 loss 30%
sleep 4
tc -n switch qdisc change dev $PORT root handle 1: netem rate 100gbit limit 4000 loss 0
