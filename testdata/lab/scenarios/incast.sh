# what: three storage nodes answer at once, 300 kB and more each
# trigger: rtt outstanding
# segment: physical network
# cause: storage
# link: member rx
# culprit: one two three
# class: storage
burst st1 nc1:9422 300ms as one &
burst st2 nc1:9422 300ms as two &
burst st3 nc1:9422 300ms as three &
wait
