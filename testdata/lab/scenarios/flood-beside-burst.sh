# what: 50 000 SYNs of as many flows, and a storage burst in the middle of them
# trigger: rtt outstanding
# segment: physical network
# cause: storage
# link: member rx
# culprit: burst
# class: storage
flood st2 nc1:80 4200 50000 &
sleep 6
burst st1 nc1:9422 400ms
wait
