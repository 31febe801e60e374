package link

import (
	"context"
	"strings"
	"testing"
	"time"

	"spiketop/flow"
)

// watch starts a watcher of eth0 and eth1 in ns that looks on events alone.
func watch(t *testing.T, ns string) chan Update {
	t.Helper()
	var w *Watcher
	var err error
	inside(t, ns, func() {
		var n *Netlink
		if n, err = Open(); err != nil {
			return
		}
		defer n.Close()
		var s *State
		if s, err = Read(DefaultRoots(), n); err != nil {
			return
		}
		var c []Choice
		if c, err = Choose(s, []string{"eth0", "eth1"}); err != nil {
			return
		}
		w, err = NewWatcher(WatchConfig{Roots: DefaultRoots(), State: s, Choices: c, Interval: time.Hour})
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	out, ended := make(chan Update, 100), make(chan struct{})
	go func() { w.Run(ctx, out); close(ended) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("Run does not end")
		}
	})
	return out
}

// heard waits for a change and returns the update that brought it.
func heard(t *testing.T, out chan Update, change, was, now string) Update {
	t.Helper()
	deadline := time.After(patience)
	var told []Change
	for {
		select {
		case u := <-out:
			for _, c := range u.Changes {
				if c.Change == change && c.Was == was && c.Now == now {
					return u
				}
			}
			told = append(told, u.Changes...)
		case <-deadline:
			t.Fatalf("%s %q -> %q: not within %v; heard %v", change, was, now, patience, told)
		}
	}
}

func TestLiveWatcher(t *testing.T) {
	near, far := router(t)
	eventually(t, "eth0 up", func() bool {
		return strings.Contains(sh(t, "ip", "-n", near, "-br", "link", "show", "dev", "eth0"), " UP ")
	})
	out := watch(t, near)

	ip(t, far, ". p0 down") // carrier lost
	heard(t, out, "down", "up", "down")
	ip(t, far, ". p0 up")
	if u := heard(t, out, "up", "down", "up"); u.Links[0].Epoch != 1 || u.At == 0 {
		t.Errorf("epoch %d at %d after coming back, want 1", u.Links[0].Epoch, u.At)
	}
	ip(t, near, ". eth0 down")
	heard(t, out, "down", "up", "down")
	ip(t, near, ". eth0 name lan9")
	if u := heard(t, out, "renamed", "eth0", "lan9"); u.Links[0].ID != 1 || u.Links[0].Note != "renamed from eth0" {
		t.Errorf("renamed: %+v", u.Links[0])
	}
	ip(t, near, ". lan9 up")
	before := heard(t, out, "up", "down", "up").Links[0]

	ip(t, near, "link del dev lan9")
	if u := heard(t, out, "down", "up", "gone"); u.Links[0].State != flow.LinkGone || len(u.Links) != 2 {
		t.Errorf("deleted: %+v", u.Links)
	}
	ip(t, near, "link add name lan9 type veth peer name p9 netns "+far)
	ip(t, far, ". p9 up")
	ip(t, near, ". lan9 up")
	deadline := time.After(patience)
	for l := before; l.Ifindex == before.Ifindex || l.State != flow.LinkUp; { // seen as down first, or not
		select {
		case u := <-out:
			l = u.Links[0]
			if l.ID != 1 || (l.Ifindex != before.Ifindex && l.Epoch <= before.Epoch) {
				t.Fatalf("made anew: %+v, before %+v", l, before)
			}
		case <-deadline:
			t.Fatalf("made anew: %+v", l)
		}
	}
}

// A NIC that comes back under another name is known by its own address.
func TestLiveWatcherByAddress(t *testing.T) {
	near, far := router(t)
	out := watch(t, near)
	ip(t, near, ". eth0 address 02:77:00:00:00:01")
	ip(t, near, ". eth0 down")
	heard(t, out, "down", "up", "down")
	ip(t, near, ". eth0 netns "+far)
	heard(t, out, "down", "down", "gone")
	ip(t, far, ". eth0 name back0")
	ip(t, far, ". back0 netns "+near)
	if u := heard(t, out, "renamed", "eth0", "back0"); len(u.Reopen) != 1 || u.Links[0].ID != 1 {
		t.Errorf("back: reopen %v, %+v", u.Reopen, u.Links[0])
	}
}
