# what: spiketop itself is stopped, for 50 ms to 2 s
# members: any
# subset: any
# incidents: 0
# gap: 2.7s
for s in 0.05 0.15 0.5 2; do
	kill -STOP $SPIKETOP_PID
	sleep $s
	kill -CONT $SPIKETOP_PID
	sleep 2
done
