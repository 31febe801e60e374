package lab

import "time"

// Job is one run that a guest is told to make.
type Job struct {
	Scenario string        // file
	Member   string        // that the late ping's reply comes by; "" = any
	Dir      string        // of its results, inside the result folder
	Least    int           // incidents to wait for, at most some seconds
	Limit    time.Duration // of the script
	Flags    []string
}

// Plan is what a guest finds in plan.json.
type Plan struct {
	Program string // spiketop
	Jobs    []Job
}

// Record is what the guest writes about a run, run.json.
type Record struct {
	Member     string // whose ports the scenario used
	Other      string
	Began      time.Time // spiketop was started
	Begin, End time.Time // of the scenario's script
	Stopped    time.Time // spiketop was told to end
	Failed     string    // why the run could not be made, "" = it was
	Unmet      string    // what spiketop did not do, so that the run could not be made: its fault
	VMEcho     uint16    // id of the truth's ping between the VMs
	Own        []OwnEcho // spiketop's own pings, read from tcpdump
	Steps      []Step    // of the clock
	MACs       []string  // of this host and its VMs on the members: what they send is tx
}

// Step is one time that a script set the clock.
type Step struct {
	At time.Time     // by the clock that it left
	By time.Duration // measured: of the real-time clock against the monotonic one
}

// OwnEcho is one series of spiketop's pings: there is one for each member, and a
// new one whenever the bond changes.
type OwnEcho struct {
	ID     uint16
	Member string // that request and reply take while both members are usable
}

// Burst is a line of senders.jsonl: what a sender itself knows.
type Burst struct {
	Name       string // given in the script, or "burst"
	Src, Dst   string // ip:port
	Member     string
	From, To   time.Time
	Bytes      int64 // payload accepted by the socket
	Node       string
	Flood      bool
	Error      string `json:",omitempty"`
	Parameters string // the command as written
}

// Stall is a line of stalls.jsonl: a time in which nothing ran in the guest, seen
// by a thread of the highest priority that wants to run every 20 ms.
type Stall struct {
	From time.Time
	Late time.Duration
}
