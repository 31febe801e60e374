// Package icmptap sees the pings of VMs and containers on their vifs, and
// nothing else there.
//
// [Taps] has one plain packet socket for each vif, without a ring. A filter in
// the kernel lets only ICMP echoes through, so that a vif full of other traffic
// costs one look at each frame and wakes nobody. One goroutine reads all of them
// and hands on a [Batch] with the echoes, a watermark and what may be missing.
//
// Echoes are bounded for each vif: a guest that floods is not listened to for a
// while, which is told and counted, and costs neither this process nor the
// others' echoes anything.
package icmptap
