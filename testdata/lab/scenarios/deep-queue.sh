# what: the storage burst through ports of 10 Mbit/s with 500 ms of queue
# boot: RATE=10mbit QUEUE=625000
# members: any
# trigger: rtt outstanding
# segment: physical network
# cause: storage
# link: member rx
# culprit: burst
# class: storage
burst st1 nc1:9422 400ms
