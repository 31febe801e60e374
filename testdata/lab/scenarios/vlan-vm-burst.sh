# what: a VM elsewhere sends to vm_a over VLAN 100
# needs: classes
# trigger: rtt outstanding
# segment: physical network
# cause: vif
# link: member rx
# culprit: burst
# class: vif
burst vm_c.vlan vm_a.vlan:5201 400ms
