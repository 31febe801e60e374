package link

import "errors"

// Rule says why a NIC is captured.
type Rule uint8

const (
	_            Rule = iota
	RuleGiven         // named by the user
	RuleBond          // member of a bond, team or OVS bond
	RuleRoute         // lowest hardware under a default route
	RulePhysical      // hardware that is up
	RuleUp            // whatever is up, except lo
)

// Choice is one NIC to capture.
type Choice struct {
	Ifindex int
	Name    string
	Bond    string // name of the bond, team or OVS datapath it is a member of, or ""
	Rule    Rule
	Why     string // for people: "member of bond0", "under the default route through br0", "given"
	Follow  bool   // later members of Bond are to be captured too
}

// Reasons why Choose fails; ask with errors.Is.
var (
	ErrNoDevice = errors.New("no such device")
	ErrNoNIC    = errors.New("no NIC to capture")
)

// ChoiceError is the error of [Choose]. Error says what is wrong in one line
// ("nic eth9: no such device"); Hint lists what there is, with the nearest name
// first, and is printed by main alone.
type ChoiceError struct {
	NIC  string // the name that was given, or ""
	Hint string
	Err  error // ErrNoDevice or ErrNoNIC
}

// Choose picks the NICs to capture, in pane order.
//
// With names given, each must exist; a bond means all its members, nothing is
// taken twice. Without: the members of every bond or team (and the physical
// ports of an OVS datapath that has several) that are up, the busiest bond
// first; else the lowest physical devices under whatever carries a default
// route; else all physical NICs that are up; else every NIC that is up except
// lo, without the bridges and VLANs above another one of them.
//
// The error is a *[ChoiceError].
func Choose(state *State, args []string) ([]Choice, error) { return nil, errors.ErrUnsupported }

func (e *ChoiceError) Error() string { return e.NIC + ": " + e.Err.Error() }

// Unwrap returns ErrNoDevice or ErrNoNIC.
func (e *ChoiceError) Unwrap() error { return e.Err }
