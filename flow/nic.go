package flow

import "time"

// NICCount is one of the things that a NIC's driver may count, whatever name it
// gives it.
type NICCount uint8

const (
	// NICMissed: frames that the NIC itself had no room for, because the host's bus
	// or memory took them too slowly.
	NICMissed NICCount = iota
	// NICNoBuffer: frames for which the host had no receive buffer ready.
	NICNoBuffer
	// NICFifo: overruns of the receive FIFO.
	NICFifo
	// NICPauseRx: pause frames received: the switch asks this host to wait.
	NICPauseRx
	// NICPauseTx: pause frames sent: this NIC asks the switch to wait.
	NICPauseTx
	NICCounts // how many there are
)

// String returns the name in the JSON files.
func (c NICCount) String() string {
	if c >= NICCounts {
		return "unknown"
	}
	return [...]string{"rx_missed", "rx_no_buffer", "rx_fifo", "pause_rx", "pause_tx"}[c]
}

// NICStats is what the driver of one NIC says (ethtool -S), cumulative.
type NICStats struct {
	At    Time // when it had been read
	Link  LinkID
	Known [NICCounts]bool // what is not known is not zero
	Count [NICCounts]uint64
	Took  time.Duration // what the reading cost
}

// HostLoad is what the kernel says about this host's CPUs, cumulative. What is
// not known on this host (no PSI, no steal column) is false in Has...
type HostLoad struct {
	At       Time
	CPUs     int
	HasSteal bool
	Steal    time.Duration // time that a hypervisor gave to others, summed over the CPUs (steps of 10 ms)
	// StealBy is the same by the number of the CPU, 0 for one that is offline; nil without
	// HasSteal. It never changes.
	StealBy []time.Duration
	HasPSI  bool
	Stalled time.Duration // time in which at least one task waited for a CPU (PSI cpu "some")
	Running int           // tasks that run or want to, at this moment
}
