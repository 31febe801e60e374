# what: two storage bursts 1.5 s apart, of two flows: one episode or two, both flows named
# incidents: 1-2
# trigger: rtt outstanding
# segment: physical network
# cause: storage
# link: member rx
# culprit: first second
# class: storage
burst st1 nc1:9422 400ms as first
sleep 1.5
burst st2 nc1:9422 400ms as second
