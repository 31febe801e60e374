// Package host knows which guest, VM or container, is behind each vif of this
// host, and how it knows.
//
//   - [Finder] asks every source that there is for names and MAC addresses, merges
//     the answers by vif, and says of each source whether it was found, and what
//     to do where it was not permitted.
//   - [Sampler] reads the vifs' counters, seen by the guest.
//   - [Disks] reads what each VM has read from and written to its disks.
//
// The sources, in the order in which they are believed: the file descriptors of
// tun devices, the VMM's command line, its cgroup, libvirt's status files,
// libvirt's read-only socket, Xen's store, the bridges' forwarding tables and the
// tap's own address (for MACs only), Open vSwitch, the user's map. Containers are
// found by the network namespace of their veth's other end.
//
// All that is read here was written by somebody else: sizes, counts and times
// are bounded, what vanishes while it is read is left out, and names are passed
// on as they are, except that bytes which are not printable text end up as U+FFFD.
// Nothing is written anywhere, nothing is asked of a guest.
//
// Netlink sockets belong to the network namespace of the thread that opens them:
// [New] and [NewSampler] open theirs at once, all later calls work from any thread.
// Only Finder.Run keeps a goroutine waiting; go-libvirt, the one outside library
// here, starts some for each connection, which end with it.
package host
