# what: a storage node fills the far host's member, by which the ping gets there
# trigger: rtt outstanding
# segment: physical network, far host
# cause: none
burst st1 nc2:9422 400ms
