# what: a VM elsewhere sends to vm_a at line rate for 400 ms
# needs: classes
# trigger: rtt outstanding
# segment: physical network
# cause: vif
# link: member rx
# culprit: burst
# class: vif
burst vm_c vm_a:5201 400ms
