# In the guest: a calm network, a running spiketop, and somebody who steps the
# clock forth and back, in small steps and large ones. Nothing must be reported.
ip netns add peer
ip link add eth0 type veth peer name p0 netns peer
ip addr add 10.1.16.165/24 dev eth0
ip link set eth0 up
ip -n peer addr add 10.1.16.55/24 dev p0
ip -n peer link set p0 up
ip -n peer link set lo up
ping -c 3 -i 0.2 -q 10.1.16.55

"$SPIKETOP_PROGRAM" headless --spike 200ms --ping 10.1.16.55 --incidents /run/incidents eth0 >/run/out/events 2>/run/out/stderr &
pid=$!
sleep 5
now() { date +%s.%N; }
step() { # seconds, as 5 or -0.2
	date -s "@$(awk -v n="$(now)" -v d="$1" 'BEGIN { printf "%.6f", n + d }')" >/dev/null
	sleep 1.5
}
for d in 5 -5 0.2 -0.2 3600 -3600 -0.05 0.05; do step $d; done
sleep 3
kill -TERM $pid
wait $pid
