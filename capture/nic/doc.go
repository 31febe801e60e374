// Package nic asks the drivers of the captured NICs what they count themselves:
// frames for which the NIC had no room or no buffer, and pause frames (ethtool
// -S). These say whether a delay was made by this NIC or lies beyond it.
//
// Nothing here needs a capability. A driver may take milliseconds to answer, or
// never do so: each NIC has a goroutine of its own, and a thread that hangs in its
// driver holds up nobody but that NIC's figures. (The kernel answers under its
// rtnl lock: a driver that hangs there stops everything on the host that asks for
// devices, with or without us. So we ask seldom.)
package nic
