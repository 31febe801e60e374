# what: the storage burst through ports of 40 Mbit/s with 250 ms of queue
# boot: RATE=40mbit QUEUE=1250000
# members: any
# trigger: rtt outstanding
# segment: physical network
# cause: storage
# link: member rx
# culprit: burst
# class: storage
burst st1 nc1:9422 400ms
