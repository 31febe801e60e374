package incident

import (
	"encoding/json"
	"math"
	"time"

	"spiketop/probe/hops"
)

// Schema is the "schema" field of incident.json. Readers refuse another major
// number and ignore fields they do not know.
const Schema = "spiketop.incident/1"

// Incident is the sealed evidence of one spike episode, in the form in which it
// is written (docs: times RFC 3339 with zone, durations in milliseconds, rates
// in bit/s, ratios 0..1). Pointers are absent (null or left out) when unknown:
// absent is not zero. An Incident never changes after it has been published; an
// open one is published as successive copies.
type Incident struct {
	Schema    string `json:"schema"`
	ID        string `json:"id"`
	Host      string `json:"host"`
	Version   string `json:"version"`
	Engine    string `json:"engine"`
	Truncated bool   `json:"truncated"`

	Trigger  Trigger      `json:"trigger"`
	Window   Window       `json:"window"`
	Baseline BaseWindow   `json:"baseline_window"`
	Links    []LinkPart   `json:"links"`
	Classes  []ClassPart  `json:"classes"`
	Flows    FlowPart     `json:"flows"`
	Path     PathPart     `json:"path"`
	Pings    []PingPart   `json:"pings"`
	Series   Series       `json:"series"`
	Bond     []BondPart   `json:"bond,omitempty"`
	Hidden   []string     `json:"hidden,omitempty"` // ways by which traffic passed this host unseen (RDMA, SR-IOV, DPDK, XDP)
	Storage  *StoragePart `json:"storage,omitempty"`
	VIFs     []VIFPart    `json:"vifs,omitempty"`
	VIFSum   *VIFSum      `json:"vif_sum,omitempty"`
	Packets  *PacketsPart `json:"packets,omitempty"`
	Verdict  Verdict      `json:"verdict"`
	Self     SelfPart     `json:"self"`
	Load     *LoadPart    `json:"load,omitempty"`

	// For screens and the store, not written.
	Number int  `json:"-"` // running number in this process: "#3"
	Open   bool `json:"-"` // still collecting
}

// Trigger kinds.
const (
	KindRTT         = "rtt"
	KindOutstanding = "outstanding"
	KindLoss        = "loss"
	KindShift       = "shift"
	KindManual      = "manual"
)

// Trigger says what started the incident. For a manual one only Kind and Sent
// (the time of the key) are set.
type Trigger struct {
	Kind        string `json:"kind"`
	Target      string `json:"target,omitempty"`
	Member      string `json:"member,omitempty"`
	ReplyMember string `json:"reply_member,omitempty"`
	// Of a VM's echo: who sent it, the id in its ICMP header, and the vif (or NIC)
	// where it was seen. Target is whom it was sent to.
	Src       string    `json:"src,omitempty"`
	EchoID    *uint16   `json:"echo_id,omitempty"`
	Point     string    `json:"point,omitempty"`
	Seq       uint16    `json:"seq"`
	N         int64     `json:"n,omitempty"`
	Sent      time.Time `json:"sent"`
	RTT       *Millis   `json:"rtt_ms"`
	Baseline  *Millis   `json:"baseline_ms"`
	Threshold *Millis   `json:"threshold_ms"`
	Rule      string    `json:"rule,omitempty"`
	// Outstanding is the age at which an echo without answer fired.
	Outstanding *Millis `json:"outstanding_ms,omitempty"`
	// Late is how many echoes of the target in the window were answered, but
	// beyond the threshold, this one included; Worst is the highest RTT of them.
	// The echo that fires is the first one, and often the least.
	Late  int     `json:"late,omitempty"`
	Worst *Millis `json:"worst_ms,omitempty"`
}

// Window is half open: [From, To).
type Window struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// BaseWindow is the time the window is compared with.
type BaseWindow struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Seconds float64   `json:"seconds"` // without other incidents' windows
}

// LinkPart is one captured link.
type LinkPart struct {
	Name         string    `json:"name"`
	Bond         string    `json:"bond,omitempty"`
	SpeedBps     *uint64   `json:"speed_bps"`
	State        string    `json:"state,omitempty"`
	Rx           LinkDir   `json:"rx"`
	Tx           LinkDir   `json:"tx"`
	CaptureDrops uint64    `json:"capture_drops"`
	Coverage     *float64  `json:"coverage"`
	NICCheck     *NICCheck `json:"nic_check,omitempty"` // the 10 to 30 s up to the window's end
	NIC          *NICPart  `json:"nic,omitempty"`
}

// LinkDir is one direction of a link during the window.
type LinkDir struct {
	Bytes       uint64     `json:"bytes"`
	Frames      uint64     `json:"frames"`
	Bps         float64    `json:"bps"`
	BaselineBps *float64   `json:"baseline_bps"`
	PeakBps     float64    `json:"peak_bps"` // highest 10 ms bin
	PeakAt      *time.Time `json:"peak_at"`
	BusyMs      *float64   `json:"busy_ms"` // time in 10 ms bins over 90 % of the speed; nil without a speed
	Utilisation *float64   `json:"utilisation"`
}

// ClassPart is one class over all captured links.
type ClassPart struct {
	Name string   `json:"name"`
	Rx   ClassDir `json:"rx"`
	Tx   ClassDir `json:"tx"`
}

// ClassDir is one direction of a class; shares are of all captured bytes of
// that direction.
type ClassDir struct {
	Bytes         uint64   `json:"bytes"`
	Share         *float64 `json:"share"`
	BaselineShare *float64 `json:"baseline_share"`
}

// FlowPart holds the top 50 flows of each direction, ranked by change.
// Rows + Other = the links' bytes.
type FlowPart struct {
	Rx    []FlowRow `json:"rx"`
	Tx    []FlowRow `json:"tx"`
	Other struct {
		Rx OtherPart `json:"rx"`
		Tx OtherPart `json:"tx"`
	} `json:"other"`
}

// OtherPart is what the rows do not show.
type OtherPart struct {
	Bytes uint64 `json:"bytes"`
}

// FlowRow is one flow on one link in one direction.
type FlowRow struct {
	Rank        int      `json:"rank"`
	Link        string   `json:"link"`
	Class       string   `json:"class"`
	Why         string   `json:"why,omitempty"`
	Proto       string   `json:"proto"`
	VLAN        uint16   `json:"vlan,omitempty"`
	Local       string   `json:"local"`
	Remote      string   `json:"remote"`
	Bytes       uint64   `json:"bytes"`
	Frames      uint64   `json:"frames"`
	Bps         float64  `json:"bps"`
	BaselineBps *float64 `json:"baseline_bps"`
	DeltaBps    *float64 `json:"delta_bps"` // bps - baseline_bps
	Share       float64  `json:"share"`     // of this link and direction
	// HashMember is the member by which this host's transmit hash would send the
	// flow, with the members usable at the time of the incident: a prediction.
	// Link is where it was seen. Absent for rx (the switch's choice) and where it
	// cannot be predicted.
	HashMember string `json:"hash_member,omitempty"`
	// Who has the local end, "" = nobody or not known: the VM or container (VIF
	// alone where its name is not known), or the process of this host,
	// "chunkserver[812]", "kernel" for a socket that belongs to the kernel itself.
	VM      string   `json:"vm"`
	VIF     string   `json:"vif"`
	Process string   `json:"process"`
	TCP     *TCPPart `json:"tcp,omitempty"`
}

// TCPPart is what the kernel knows of a TCP connection of this host, read about a
// second after the freeze. RTTs are the kernel's, smoothed, of data and of the
// acknowledgements for it: in this direction of the connection only.
type TCPPart struct {
	RTT    *Millis `json:"rtt_ms"`
	MinRTT *Millis `json:"min_rtt_ms"`
	// Retransmissions are the segments that were sent again between two readings
	// BetweenMs apart; without BetweenMs there is one reading, and they are those
	// since the connection began.
	Retransmissions uint32  `json:"retransmissions"`
	BetweenMs       *Millis `json:"between_ms,omitempty"`
	DeliveryBps     *uint64 `json:"delivery_bps"` // of what this host sends
	AppLimited      bool    `json:"app_limited,omitempty"`
}

// PathPart says where the time of the guilty echo went.
type PathPart struct {
	Own *OwnPath `json:"own,omitempty"`
	// Echoes are those of VMs in the window that were late or lost, as this host
	// saw them pass, at most 8: the one by which it is judged, then the worst.
	Echoes []hops.EchoReport `json:"echoes,omitempty"`
	// Legs is the way of the VM's echo by which it is judged, in order of time.
	Legs           []PathLeg `json:"legs,omitempty"`
	VerdictSegment string    `json:"verdict_segment"` // one of the Segment words
}

// PathLeg is the way between two sights of an echo that followed one another.
type PathLeg struct {
	From  string  `json:"from"` // vif or NIC
	To    string  `json:"to"`
	What  string  `json:"what"` // that lies between them
	Took  Millis  `json:"ms"`
	Usual *Millis `json:"usual_ms"` // median of the calm echoes before; nil where it is not known
}

// OwnPath splits an own echo: RTT = queue + wire; wakeup comes after.
type OwnPath struct {
	Queue  *Millis `json:"queue_ms"`
	Wire   *Millis `json:"wire_ms"`
	Wakeup *Millis `json:"wakeup_ms"`
}

// PingPart is one target, or one of its members' pings, over the window and 5 s
// on both sides. Member is that for which the echoes were meant, without one that
// by which the newest left. CannotSteer says why a target behind a bond has one
// ping only. RTTs are pairs of (time relative to the guilty echo's sending, RTT or null when lost).
type PingPart struct {
	Target      string       `json:"target"`
	Src         string       `json:"src,omitempty"` // of a VM's ping: who sends it
	Member      string       `json:"member,omitempty"`
	CannotSteer string       `json:"cannot_steer,omitempty"`
	Sent        int          `json:"sent"`
	Lost        int          `json:"lost"`
	Unknown     int          `json:"unknown"`
	RTTMax      *Millis      `json:"rtt_max_ms"`
	Baseline    *Millis      `json:"baseline_ms"`
	RTT         [][2]*Millis `json:"rtt_ms"`
}

// Series is the links' load in 10 ms bins over the window and 5 s on both sides.
type Series struct {
	From   time.Time    `json:"from"`
	StepMs int          `json:"step_ms"`
	Links  []SeriesLink `json:"links"`
}

// SeriesLink is one link's bytes per bin.
type SeriesLink struct {
	Name    string   `json:"name"`
	RxBytes []uint64 `json:"rx_bytes"`
	TxBytes []uint64 `json:"tx_bytes"`
}

// Verdict causes.
const (
	CauseTraffic = "traffic" // a flow without a class grew on the echo's way
	CauseLink    = "link"
	CauseSelf    = "self"
	CauseNone    = "none"    // judged: nothing on the echo's way changed by more than its usual spread
	CauseUnknown = "unknown" // could not be judged
)

// Verdict segments: where the time of the guilty echo went.
const (
	SegmentNetwork = "physical network" // behind the NIC
	SegmentNIC     = "this NIC"         // its output queue, or its link
	SegmentHost    = "host"             // before the NIC: neighbour resolution, scheduling
	SegmentVirtual = "virtual network"  // of this host: between a vif and the NIC, or another vif
	SegmentGuest   = "guest"            // inside a VM
	SegmentUnknown = "unknown"
)

// Confidences of a verdict.
const (
	ConfidenceHigh   = "high"
	ConfidenceMedium = "medium"
	ConfidenceLow    = "low"
)

// Verdict is what the program believes, and why.
type Verdict struct {
	Cause      string   `json:"cause"`
	Link       string   `json:"link,omitempty"`
	Direction  string   `json:"direction,omitempty"`
	Confidence string   `json:"confidence"` // "high", "medium", "low"
	Sentence   string   `json:"sentence"`
	Evidence   []string `json:"evidence"`
	Advice     string   `json:"advice,omitempty"`
	// Burst is the growth that is blamed; nil where none is.
	Burst *BurstPart `json:"burst,omitempty"`
	// Way is what was compared: each direction of a link on the echo's way.
	Way []WayPart `json:"way,omitempty"`
}

// WayPart compares one direction of a link while the echo waited with what it
// usually carries.
type WayPart struct {
	Link      string `json:"link"`
	Direction string `json:"direction"`
	// Seen says that the echo (tx) or its answer (rx) was seen there; else the
	// way was not known and every link is considered.
	Seen        bool     `json:"seen"`
	WaitBps     *float64 `json:"wait_bps"` // while the echo waited, or in the 300 ms before
	UsualBps    *float64 `json:"usual_bps"`
	UsualMaxBps *float64 `json:"usual_max_bps"` // what 100 ms of the baseline hardly ever exceeded
	Changed     bool     `json:"changed"`
}

// BurstPart is the growth of a link's traffic that a verdict blames. Its time is
// one stretch of 10 ms bins: around the highest 100 ms near the echo's waiting,
// as far as the rate (mean of 50 ms) stays nearer to that peak than to the usual
// rate; it may fall below for 50 ms. Rates are means over that time, so what
// trickles in before and after does not dilute them.
type BurstPart struct {
	From     time.Time `json:"from"`
	Ms       float64   `json:"ms"`
	Bps      float64   `json:"bps"`
	UsualBps float64   `json:"usual_bps"`
	// SpeedShare is Bps / speed_bps; nil if that is unknown.
	SpeedShare *float64 `json:"speed_share"`
	// ClassShare is the blamed class's part of the growth, 0..1.
	ClassShare float64 `json:"class_share"`
	// The flow that grew most, its part of the link's growth (0..1), and that part
	// in bit/s.
	Proto        string  `json:"proto"`
	Local        string  `json:"local"`
	Remote       string  `json:"remote"`
	VM           string  `json:"vm,omitempty"` // as in FlowRow
	VIF          string  `json:"vif,omitempty"`
	Process      string  `json:"process,omitempty"`
	Class        string  `json:"class,omitempty"` // of that flow
	FlowDeltaBps float64 `json:"flow_delta_bps"`
	FlowShare    float64 `json:"flow_share"`
}

// SelfPart is what this program did wrong or missed meanwhile.
type SelfPart struct {
	LateTicks           int `json:"late_ticks"`
	EvictedFlows        int `json:"evicted_flows"`
	ClockSteps          int `json:"clock_steps"`
	SuppressedIncidents int `json:"suppressed_incidents"`
}

// Millis is a duration written as milliseconds with microsecond resolution.
type Millis float64

// MillisOf converts; a negative duration is "unknown" and gives nil.
func MillisOf(d time.Duration) *Millis {
	if d < 0 {
		return nil
	}
	m := Millis(float64(d) / 1e6)
	return &m
}

// MarshalJSON rounds to a microsecond.
func (m Millis) MarshalJSON() ([]byte, error) {
	return json.Marshal(math.Round(float64(m)*1000) / 1000)
}
