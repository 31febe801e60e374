// Package link knows the host's network devices: what there is, which of it is
// captured by default, how it changes, what its counters say, and which way
// packets to an address leave.
//
// It reads rtnetlink (every fact that the kernel gives there) and sysfs (speed,
// the order in which members were enslaved, whether a device is hardware). It
// needs no capability. A missing or odd file or attribute is "unknown", never
// an error of the whole look.
//
//   - [Read] takes a [State]: devices, bonds, default routes, own addresses.
//   - [Choose] picks the NICs to capture from it and says why.
//   - [Watcher] follows them for life: names, states, bonds, speed, LACP.
//   - [Sampler] reads their counters, ten times a second if need be.
//   - [DefaultGateways] and [Netlink.RouteLeavesBy] find ping targets that really
//     leave by a captured NIC.
//
// A netlink socket belongs to the network namespace of the thread that opened
// it: [Open], [NewWatcher] and [NewSampler] open theirs at once, everything
// later works from any thread. A sysfs belongs to the namespace in which it was
// mounted; if that is another one (found by comparing ifindex and address with
// netlink) it is not believed, and what only sysfs knows is unknown: speed, and
// the order of a bond's members.
//
// Only Watcher.Run starts goroutines and reads a clock.
//
// The package speaks rtnetlink itself instead of through a library: the usual
// one asks every driver for its virtual functions on each look (a firmware call
// under the kernel's global lock on SR-IOV NICs), decodes events in a goroutine
// of its own where a panic on an odd attribute ends the program, cannot tell an
// absent attribute from zero, and makes 64 KiB of garbage for each answer.
package link
