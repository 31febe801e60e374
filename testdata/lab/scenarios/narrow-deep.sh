# what: the storage burst at 20 Mbit/s with 500 ms of queue
# boot: RATE=20mbit QUEUE=1250000
# members: any
# trigger: rtt outstanding
# segment: physical network
# cause: storage
# link: member rx
# culprit: burst
# class: storage
burst st1 nc1:9422 400ms
