# what: the switch's port of the member goes down for 9 s and comes back
# subset: eth0
# incidents: 0-2
# gap: 15s
# trigger: loss outstanding rtt
# segment: this NIC
# cause: link
# events: $MEMBER down, $MEMBER up
ip -n switch link set dev $PORT down
sleep 9
ip -n switch link set dev $PORT up
sleep 5
