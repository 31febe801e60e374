package flow

import "net/netip"

// Class says whose traffic a flow is. The built-in classes have fixed numbers,
// a user's own follow.
type Class uint8

const (
	Unknown Class = iota
	Storage
	VIF
	Host
	Control
	FirstUserClass
)

var classNames = [...]string{"unknown", "storage", "vif", "host", "control"}

// String returns the word of the JSON files.
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "class" + string(rune('0'+c%10))
}

// Letter returns the letter shown in front of a row: S V H C or ?.
func (c Class) Letter() rune {
	if int(c) < len(classNames) {
		return []rune("?SVHC")[c]
	}
	return 'U'
}

// ClassDef is a class that the user has added: the first has the number
// [FirstUserClass], the others follow.
type ClassDef struct {
	Name string
	Char rune // the letter in front of a row
}

// Rule gives a class to flows. All conditions that are set must hold, and at
// least one is.
type Rule struct {
	Class          Class
	Label          string       // a finer word: "monitoring", "logs"; "" = none
	Text           string       // as the user wrote it, for Why
	PortLo, PortHi uint16       // either end's port lies in PortLo..PortHi; 0 = no port condition
	Prefix         netip.Prefix // either end lies in it
	Process        string       // name of the process that has the socket; "" = no condition
	VLAN           uint16       // 0 = no condition
	VIF            string       // name of the vif or of the guest behind it; "" = no condition
	Why            string       // what Classify answers, made once: "port 9422 (--storage 9422)"
}
