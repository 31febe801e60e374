# what: a storage node sends to this host at line rate for 400 ms, on the member of the ping's reply
# subset: eth0 eth1
# trigger: rtt outstanding
# segment: physical network
# cause: storage
# link: member rx
# culprit: burst
# class: storage
burst st1 nc1:9422 400ms
