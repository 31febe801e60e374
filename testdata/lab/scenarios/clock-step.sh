# what: somebody steps the clock by 0.2 s, 5 s and an hour, forth and back
# members: any
# incidents: 0
for d in 0.2 -0.2 5 -5 3600 -3600; do
	date -s "@$(awk -v n="$(date +%s.%N)" -v d=$d 'BEGIN { printf "%.6f", n + d }')" >/dev/null
	sleep 1.5
done
