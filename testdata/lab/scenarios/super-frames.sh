# what: the storage burst as super-frames: TCP hands up to 64 KiB at once to the NIC
# boot: SUPERFRAMES=on BURST=80000
# trigger: rtt outstanding
# segment: physical network
# cause: storage
# link: member rx
# culprit: burst
# class: storage
burst st1 nc1:9422 400ms
