package incident

// NICPart holds how counters of the kernel and of the NIC's driver grew over the
// window. A counter that this kernel or driver does not have is absent, never 0.
type NICPart struct {
	// Of the NIC itself, by its driver's own counters: see [flow.NICCount]. They are
	// read once a second, and many drivers fetch them from the NIC only every one or
	// two: the readings lie Seconds apart around the window.
	RxMissed   *uint64 `json:"rx_missed,omitempty"`
	RxNoBuffer *uint64 `json:"rx_no_buffer,omitempty"`
	RxFifo     *uint64 `json:"rx_fifo,omitempty"`
	PauseRx    *uint64 `json:"pause_rx,omitempty"` // the switch asked this host to wait
	PauseTx    *uint64 `json:"pause_tx,omitempty"` // this NIC asked the switch to wait
	Seconds    float64 `json:"seconds,omitempty"`
	// Of the kernel, read every 100 ms.
	RxDropped         uint64    `json:"rx_dropped"`
	TxDropped         uint64    `json:"tx_dropped"`
	SoftnetDrops      *uint64   `json:"softnet_drops,omitempty"`    // of the whole host
	SoftnetSqueezed   *uint64   `json:"softnet_squeezed,omitempty"` // of the whole host
	QdiscBacklogBytes *uint64   `json:"qdisc_backlog_bytes,omitempty"`
	QdiscDrops        *uint64   `json:"qdisc_drops,omitempty"`
	CarrierChanges    uint64    `json:"carrier_changes"`
	Usual             *NICUsual `json:"usual,omitempty"` // of the same counters
}

// NICUsual is how many a second there were in the baseline; absent where that is
// not known.
type NICUsual struct {
	RxMissed        *float64 `json:"rx_missed,omitempty"`
	RxNoBuffer      *float64 `json:"rx_no_buffer,omitempty"`
	RxFifo          *float64 `json:"rx_fifo,omitempty"`
	PauseRx         *float64 `json:"pause_rx,omitempty"`
	PauseTx         *float64 `json:"pause_tx,omitempty"`
	SoftnetDrops    *float64 `json:"softnet_drops,omitempty"`
	SoftnetSqueezed *float64 `json:"softnet_squeezed,omitempty"`
	QdiscDrops      *float64 `json:"qdisc_drops,omitempty"`
}

// Moved are the counters that grew, in the order in which a person reads them: the
// NIC, the kernel behind it, the queue in front of it.
func (n *NICPart) Moved() (list []NamedCount) {
	if n == nil {
		return nil
	}
	for _, c := range []struct {
		name string
		n    *uint64
	}{{"rx_missed", n.RxMissed}, {"rx_no_buffer", n.RxNoBuffer}, {"rx_fifo", n.RxFifo}, {"pause_rx", n.PauseRx}, {"pause_tx", n.PauseTx},
		{"rx_dropped", &n.RxDropped}, {"tx_dropped", &n.TxDropped}, {"softnet_drops", n.SoftnetDrops}, {"softnet_squeezed", n.SoftnetSqueezed},
		{"qdisc_drops", n.QdiscDrops}, {"carrier_changes", &n.CarrierChanges}} {
		if c.n != nil && *c.n > 0 {
			list = append(list, NamedCount{c.name, *c.n})
		}
	}
	return list
}

// Backlog is the highest backlog seen; 0 where there is none or it was not read.
func (n *NICPart) Backlog() uint64 {
	if n == nil || n.QdiscBacklogBytes == nil {
		return 0
	}
	return *n.QdiscBacklogBytes
}

// NamedCount is a counter with its name in the JSON files.
type NamedCount struct {
	Name string
	N    uint64
}

// LoadPart is what this host's CPUs lost around the window: the readings lie
// Seconds apart. "usual" figures are for each second of the baseline.
type LoadPart struct {
	CPUs    int     `json:"cpus"`
	Seconds float64 `json:"seconds"`
	// Steal is the time that a hypervisor gave to others, all CPUs together, StealMost
	// of the CPU that lost most.
	Steal          *Millis `json:"steal_ms,omitempty"`
	StealUsual     *Millis `json:"steal_usual_ms,omitempty"`
	StealMost      *Millis `json:"steal_cpu_ms,omitempty"`
	StealMostUsual *Millis `json:"steal_cpu_usual_ms,omitempty"`
	// Stalled is the time in which at least one task waited for a CPU (PSI).
	Stalled      *Millis `json:"stalled_ms,omitempty"`
	StalledUsual *Millis `json:"stalled_usual_ms,omitempty"`
	Running      int     `json:"running"` // the most tasks that ran or wanted to at a reading
}
