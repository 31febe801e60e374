package link

import (
	"context"
	"errors"
	"time"

	"spiketop/flow"
)

// Change is one thing that happened to a captured link: the body of the `link`
// event.
//
//	change    was, now
//	down, up  flow.LinkState words: "up", "down", "gone"
//	renamed   the old and the new name
//	left      the bond's name, ""
//	joined    "" (or the bond it was in before), the bond's name
//	speed     bit/s in decimal
//	lacp      "aggregator 1 of 1, actor 63, partner 63"
//	role      "active", "backup": fail-over in modes other than 802.3ad
type Change struct {
	Link   flow.LinkID `json:"-"`
	Name   string      `json:"name"` // as it is called now
	Change string      `json:"change"`
	Was    string      `json:"was"`
	Now    string      `json:"now"`
}

// Update is how the captured links stand after a look. Its slices are never
// changed after it was sent.
type Update struct {
	At           flow.Time     // when the look was taken; zero in Watcher.First
	Links        []flow.Link   // all captured links, in pane order; a link once listed stays listed
	Bonds        []flow.Bond   // all bonds and teams of this host, and OVS datapaths as mode "ovs"
	OrderUnknown []string      // bonds whose Members stand in ifindex order, because the order of enslaving is unknown
	Added        []flow.LinkID // links that are listed for the first time: open a reader for each
	Reopen       []flow.LinkID // links that came back with another ifindex: open their reader anew
	Changes      []Change      // what happened since the last Update, oldest first
	Notes        []string      // said once: what the watcher cannot do from here on
}

// WatchConfig says what to follow.
type WatchConfig struct {
	Roots    Roots
	State    *State        // the look that Choices were made from
	Choices  []Choice      // from Choose
	Interval time.Duration // between looks without any event; 0 = one second
}

// Watcher follows the captured links for life. A link keeps its LinkID when it
// is renamed, goes down, leaves its bond or vanishes; a new device with the name
// of a vanished one, or else its permanent address and kind, takes its place
// with the next Epoch and a new Ifindex. Epoch also grows when a link that was
// down comes up.
type Watcher struct{}

// NewWatcher gives the chosen links their LinkIDs, 1 upward in pane order, and
// opens the netlink sockets in the calling thread's network namespace. Without
// event socket it watches by looking every Interval alone, and says so in the
// Notes of the first Update.
func NewWatcher(cfg WatchConfig) (*Watcher, error) { return nil, errors.ErrUnsupported }

// First returns how things stand before Run: the links with their ids, all in
// Added, no Changes.
func (w *Watcher) First() Update { return Update{} }

// Run looks at every netlink link event and every Interval, and sends an Update
// whenever something differs from the last one sent. While out is not taken,
// Updates are merged: newest links, all changes (the last 256). It returns nil
// when ctx ends, having joined its goroutines and closed its sockets; it does
// not close out. It runs once.
func (w *Watcher) Run(ctx context.Context, out chan<- Update) error { return errors.ErrUnsupported }
