# what: three storage nodes answer at once, for 400 ms
# trigger: rtt outstanding
# segment: physical network
# cause: storage
# link: member rx
# culprit: one two three
# class: storage
burst st1 nc1:9422 400ms as one &
burst st2 nc1:9422 400ms as two &
burst st3 nc1:9422 400ms as three &
wait
