package flow

// GuestNIC is a vif: a virtual interface behind which a guest (a VM or a container) sits.
type GuestNIC struct {
	Name    string
	Ifindex int       // in this network namespace
	Kind    string    // "tap", "veth", "macvtap", "ovs", ...
	Guest   string    // name of the VM or container as a person knows it, "" = not known
	MACs    [][6]byte // the guest's own addresses, not the tap's
	PID     int       // of the VMM or of the container's first process, 0 = not known
	Bridge  string    // the bridge it is a port of, or ""
	Source  string    // who said so, in the order asked: "fdinfo, command line, bridge fdb"
}

// GuestNICCounters are the cumulative kernel counters of one vif, from the guest's
// point of view: Rx is what went toward the guest (the kernel's tx of the tap).
type GuestNICCounters struct {
	At               Time
	Ifindex          int
	RxBytes, TxBytes uint64 // kernel buffers: a super-frame counts its headers once
	RxDropped        uint64 // toward the guest, not read by it (the tap's tx_dropped)
	TxDropped        uint64 // from the guest
}

// DiskCounters are the cumulative bytes that a VM has read from and written to
// its disks, as the hypervisor counts them. A VM that restarts begins at zero.
type DiskCounters struct {
	At                    Time
	Guest                 string
	ReadBytes, WriteBytes uint64
}
