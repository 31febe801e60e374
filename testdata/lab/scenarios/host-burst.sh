# what: a node sends to a program of this host that is no storage
# needs: classes
# trigger: rtt outstanding
# segment: physical network
# cause: host
# link: member rx
# culprit: burst
# class: host
burst st1 nc1:8080 400ms
