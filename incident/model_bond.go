package incident

// BondPart is a bond at the time of the incident.
type BondPart struct {
	Name             string       `json:"name"`
	Mode             string       `json:"mode"`
	Policy           string       `json:"policy,omitempty"`
	ActiveAggregator int          `json:"active_aggregator,omitempty"`
	Members          []MemberPart `json:"members"` // in order of enslaving
	Rx               BondDir      `json:"rx"`      // the switch's choice
	Tx               BondDir      `json:"tx"`      // this host's
	// HashUnknown says why this host's choice of members cannot be predicted for
	// any flow; absent where it can.
	HashUnknown string `json:"hash_unknown,omitempty"`
	// Warnings say where the balance is broken by something else than chance.
	Warnings []string `json:"warnings,omitempty"`
}

// BondDir is how a bond's usable members share one direction in the window.
type BondDir struct {
	Bytes uint64 `json:"bytes"` // of the captured members
	// Imbalance is (n x max / sum - 1) / (n - 1) over the n usable members: 0
	// even, 1 all on one. Nil where it means nothing: fewer than two usable
	// members, one of them not captured, or together under 1 % of their speeds'
	// sum (1 Mbit/s for each whose speed is unknown).
	Imbalance *float64 `json:"imbalance"`
	// BaselineImbalance is the same over the baseline.
	BaselineImbalance *float64 `json:"baseline_imbalance"`
}

// MemberPart is a port of a bond.
type MemberPart struct {
	Name         string  `json:"name"`
	State        string  `json:"state"`
	MII          string  `json:"mii"`
	Aggregator   int     `json:"aggregator,omitempty"`
	PartnerState *int    `json:"partner_state,omitempty"`
	ActorState   *int    `json:"actor_state,omitempty"`
	SpeedBps     *uint64 `json:"speed_bps"`
	Usable       bool    `json:"usable"` // carries data: up, MII up, active, in the active aggregator
	// RxShare and TxShare are its parts of BondDir.Bytes, 0..1; nil where it is
	// not captured or nothing was carried.
	RxShare *float64 `json:"rx_share"`
	TxShare *float64 `json:"tx_share"`
	// Trouble says why it does not carry what it should; absent where it is well.
	Trouble string `json:"trouble,omitempty"`
}

// share is the member's part of one direction.
func (p *MemberPart) share(tx bool) *float64 {
	if tx {
		return p.TxShare
	}
	return p.RxShare
}
