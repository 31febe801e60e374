# what: a VM elsewhere sends to a storage server inside vm_a, on the storage's port
# needs: classes
# trigger: rtt outstanding
# segment: physical network
# cause: vif
# link: member rx
# culprit: burst
# class: vif
burst vm_c vm_a:9422 400ms
