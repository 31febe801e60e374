package incident

// StoragePart says what the flows of class storage carried, which of them moved
// together, and which VM's disk fed them. It is absent where neither a storage
// flow nor a disk was seen.
type StoragePart struct {
	InBytes        uint64   `json:"in_bytes"`  // rx of class storage in the window, all captured links
	OutBytes       uint64   `json:"out_bytes"` // tx
	InBps          float64  `json:"in_bps"`
	OutBps         float64  `json:"out_bps"`
	BaselineInBps  *float64 `json:"baseline_in_bps"`
	BaselineOutBps *float64 `json:"baseline_out_bps"`
	// Amplification is out / in; nil with too few bytes ([StorageLeastBytes],
	// [storageLeastShare]) in the window or the baseline.
	Amplification         *float64 `json:"amplification"`
	BaselineAmplification *float64 `json:"baseline_amplification"`

	// Writes and Reads part the bytes by the end at which the storage server sits;
	// Undecided is what does not tell (no row of its own, or neither end known).
	Writes    StorageWay   `json:"writes"` // in: to servers here, out: to servers elsewhere
	Reads     StorageWay   `json:"reads"`  // in: from servers elsewhere, out: from servers here
	Undecided StorageBytes `json:"undecided"`

	Chains     []ChainPart `json:"chains,omitempty"`
	FedBy      []FedBy     `json:"fed_by,omitempty"` // by change, at most [maxGuests]
	FedByOther *FedByOther `json:"fed_by_other,omitempty"`
	// WirePerWritten is how many storage bytes more than usual went over the wire
	// for each byte more than usual that the VMs wrote; nil with too few of them.
	WirePerWritten *float64  `json:"wire_per_written"`
	Wire           *WirePart `json:"wire,omitempty"` // its terms
}

// StorageBytes are bytes by direction.
type StorageBytes struct {
	InBytes  uint64 `json:"in_bytes"`
	OutBytes uint64 `json:"out_bytes"`
}

// StorageWay is the writing or the reading of storage in the window.
type StorageWay struct {
	StorageBytes
	Amplification *float64 `json:"amplification"` // out / in, nil with too few bytes
}

// WirePart are the terms of wire_per_written: growths over the baseline in the
// time between the disks' readings around the window.
type WirePart struct {
	Seconds  float64 `json:"seconds"`
	InBytes  uint64  `json:"in_bytes"`  // growth of storage rx
	OutBytes uint64  `json:"out_bytes"` // growth of storage tx
	Written  uint64  `json:"written"`   // growth of what the VMs wrote
	Read     uint64  `json:"read"`      // growth of what the VMs read
}

// ChainPart is one inbound storage flow and the outbound ones that moved with
// it, slot by slot: a write and its replicas.
type ChainPart struct {
	In       ChainFlow   `json:"in"`
	Out      []ChainFlow `json:"out"`
	Replicas int         `json:"replicas"` // len(Out) + 1: those that this host shows; more may lie behind it
	Slots    int         `json:"slots"`    // slots of 100 ms in which the least sure of Out was compared
}

// ChainFlow is a flow of a chain. Ratio and Correlation compare it with the
// inbound flow and are absent there.
type ChainFlow struct {
	Link        string   `json:"link"`
	Proto       string   `json:"proto"`
	Local       string   `json:"local"`
	Remote      string   `json:"remote"`
	Bytes       uint64   `json:"bytes"`
	Ratio       *float64 `json:"ratio,omitempty"`       // its bytes / those of the inbound flow, in the window
	Correlation *float64 `json:"correlation,omitempty"` // of what both did from slot to slot, 0..1
}

// FedBy is what one VM's disks carried in the window, as the hypervisor counts.
type FedBy struct {
	VM            string   `json:"vm"`
	WriteBps      float64  `json:"write_bps"`
	WriteDeltaBps *float64 `json:"write_delta_bps"` // over its baseline; nil without one
	ReadBps       float64  `json:"read_bps"`
	ReadDeltaBps  *float64 `json:"read_delta_bps"`
}

// FedByOther sums up the VMs that FedBy does not list.
type FedByOther struct {
	VMs      int     `json:"vms"`
	WriteBps float64 `json:"write_bps"`
	ReadBps  float64 `json:"read_bps"`
}

// VIFPart is one vif over the time of [VIFSum], from the guest's point of view:
// rx is what went toward the guest. All of them and VIFSum.Other add up to the
// sum: rates are over VIFSum.Seconds, also where less of it is known.
type VIFPart struct {
	VIF           string   `json:"vif"`
	VM            string   `json:"vm"` // "" = not known
	RxBytes       uint64   `json:"rx_bytes"`
	TxBytes       uint64   `json:"tx_bytes"`
	Seconds       float64  `json:"seconds,omitempty"` // of which the bytes are known, if that is less than VIFSum.Seconds
	RxBps         float64  `json:"rx_bps"`
	RxBaselineBps *float64 `json:"rx_baseline_bps"`
	TxBps         float64  `json:"tx_bps"`
	TxBaselineBps *float64 `json:"tx_baseline_bps"`
	// TxDropped are frames toward the guest that it did not read in time: the
	// tap's own tx_dropped, hence the name.
	TxDropped uint64 `json:"tx_dropped"`
}

// VIFSum is all vifs together against the captured links, between the readings
// of the vifs' counters around the window: the seed's "add up all vifs".
type VIFSum struct {
	VIFs          int      `json:"vifs"`       // that were read
	Seconds       float64  `json:"seconds"`    // between those readings
	RxBytes       uint64   `json:"rx_bytes"`   // toward the guests
	TxBytes       uint64   `json:"tx_bytes"`   // from them
	LinkBytes     uint64   `json:"link_bytes"` // of all captured links, both directions
	Share         *float64 `json:"share"`      // vifs' / links' bytes; over 1 where VMs talk to one another
	BaselineShare *float64 `json:"baseline_share"`
	// Other are the vifs that Incident.VIFs does not list.
	Other *VIFOther `json:"other,omitempty"`
}

// VIFOther sums up vifs.
type VIFOther struct {
	VIFs    int     `json:"vifs"`
	RxBytes uint64  `json:"rx_bytes"`
	TxBytes uint64  `json:"tx_bytes"`
	RxBps   float64 `json:"rx_bps"`
	TxBps   float64 `json:"tx_bps"`
}
