package incident

// FarPart is what another host says of the same window: its own word, which this
// host cannot check and by which it never blames anybody. Every text in it is
// [Clean] and every number within plausible bounds. rx and tx are that host's.
type FarPart struct {
	Host    string `json:"host"`
	Version string `json:"version,omitempty"`
	// Window is what it was asked about, in its own clock.
	Window *Window `json:"window,omitempty"`
	// ClockOffset is its clock minus this host's, estimated from the fastest
	// echoes of both directions, right within Uncertainty. It only served to ask
	// about the right window.
	ClockOffset *float64    `json:"clock_offset_ms,omitempty"`
	Uncertainty *float64    `json:"clock_uncertainty_ms,omitempty"`
	Links       []LinkPart  `json:"links"`
	Classes     []ClassPart `json:"classes,omitempty"`
	Flows       FlowPart    `json:"flows"`
	Trouble     string      `json:"trouble,omitempty"` // why links and flows are not, or not all, there
	Says        []string    `json:"says"`              // in words, each beginning with the host's name
}
