# what: 52 000 SYNs of as many flows, and a storage burst in the midst of the last
# trigger: rtt outstanding
# segment: physical network
# cause: storage
# link: member rx
# culprit: burst
# class: storage
flood nc1:80 4200 48000
flood nc1:80 400 4000 &
sleep 3
burst st1 nc1:9422 400ms
wait
