# what: a VM elsewhere sends to vm_d through a VXLAN, which by its ports takes eth0
# needs: classes
# members: eth0
# trigger: rtt outstanding
# segment: physical network
# cause: vif
# link: member rx
# top: udp 10.1.16.73:50000 vif
burst st3.vxlan vm_d:5201 400ms on any
