# what: the same burst on the other member; only a ping of that member can know
# needs: member-ping
# trigger: rtt outstanding
# segment: physical network
# cause: storage
# link: other rx
# vmping: calm
# culprit: burst
# class: storage
burst st1 nc1:9422 400ms on $OTHER
