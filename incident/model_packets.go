package incident

// PacketsPart says what packets.pcapng holds: the first Snaplen bytes of every
// frame of the window, except what Missing names.
type PacketsPart struct {
	Snaplen int      `json:"snaplen"`
	Frames  int      `json:"frames"`
	Missing []string `json:"missing,omitempty"`
}
