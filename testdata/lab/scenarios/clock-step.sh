# what: somebody steps the clock by 0.2 s, 5 s and an hour, forth and back
# members: any
# incidents: 0
# notes: clock
for d in 0.2s -0.2s 5s -5s 1h -1h; do
	step $d
	sleep 1.5
done
