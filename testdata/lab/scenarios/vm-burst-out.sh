# what: vm_a sends to vm_b at line rate: the queue is this host's own
# needs: classes path
# pings: any
# trigger: rtt outstanding
# segment: this NIC
# cause: vif
# link: member tx
# culprit: burst
# class: vif
burst vm_a vm_b:5201 400ms
