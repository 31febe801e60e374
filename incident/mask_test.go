package incident

import (
	"bytes"
	"strings"
	"testing"
)

func TestMask(t *testing.T) {
	in := maskFixture()
	got, err := Mask(in)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for _, write := range []func() error{
		func() error { return WriteJSON(&b, got) }, func() error { return WriteMarkdown(&b, got) }, func() error { return WriteCSV(&b, got) },
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
	}
	text := b.String()
	for _, secret := range []string{"10.1.16.55", "10.1.16.165", "10.1.16.71", "2001:db8:1", "52:54:00:aa:bb:cc", "vm_a", "023471", "billing", "nc1", "acme"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is still there:\n%s", secret, text)
		}
	}
	for _, kept := range []string{"eth0", ":9422", "storage", "[812]", "120.4", "pid 101 of 101 ms"} {
		if !strings.Contains(text, kept) {
			t.Errorf("%q is gone:\n%s", kept, text)
		}
	}
	row := &got.Flows.Rx[0]
	if row.Remote != "198.18.0.4:40112" && !strings.HasPrefix(row.Remote, "198.18.0.") {
		t.Errorf("remote %q", row.Remote)
	}
	host, _, _ := strings.Cut(row.Local, ":")
	if !strings.Contains(got.Verdict.Sentence, host) || !strings.Contains(got.Verdict.Sentence, row.VM) {
		t.Errorf("one pseudonym in the row (%s, %s), another in the sentence: %s", host, row.VM, got.Verdict.Sentence)
	}
	if got.ID != "20261121T174720.962Z-"+got.Trigger.Target || !ValidID(got.ID) {
		t.Errorf("ID %q of target %q", got.ID, got.Trigger.Target)
	}
	if in.Host != "nc1" || in.Flows.Rx[0].VM != "vm_a" {
		t.Error("the original was changed")
	}
}

// maskFixture has a name in every kind of place.
func maskFixture() *Incident {
	in := &Incident{Schema: Schema, ID: "20261121T174720.962Z-10.1.16.55", Host: "nc1"}
	in.Trigger = Trigger{Kind: KindRTT, Target: "10.1.16.55", Member: "eth0"}
	in.Links = []LinkPart{{Name: "eth0"}}
	in.Classes = []ClassPart{{Name: "storage"}, {Name: "acme-backup"}}
	in.Flows.Rx = []FlowRow{{Rank: 1, Link: "eth0", Class: "acme-backup", Proto: "tcp", Local: "10.1.16.165:9422", Remote: "10.1.16.71:40112",
		VM: "vm_a", VIF: "023471", Process: "billing[812]", Why: "MAC 52:54:00:aa:bb:cc of vm_a on 023471"},
		{Rank: 2, Link: "eth0", Class: "storage", Proto: "tcp", Local: "[2001:db8:1::7]:9422", Remote: "[2001:db8:1::8]:1", VM: "101"}}
	in.Verdict = Verdict{Cause: "acme-backup", Confidence: ConfidenceHigh,
		Sentence: "Echo 110 to 10.1.16.55 took 120.4 ms: 10.1.16.71:40112 -> 10.1.16.165:9422 (billing) of vm_a (023471), nc1",
		Evidence: []string{"pid 101 of 101 ms", "2001:db8:1::7 at 17:47:20.962"}}
	return in
}

func TestMaskWords(t *testing.T) {
	m := newMasker()
	for _, n := range []string{"vm_a", "vm_a-clone", "db"} {
		m.name("vm", n)
	}
	m.sort()
	for _, c := range []struct{ in, want string }{
		{"vm_a and vm_a-clone", "vm-1 and vm-2"},
		{"vm_ab, xvm_a, mydb", "vm_ab, xvm_a, mydb"},
		{"db:db/db.", "vm-3:vm-3/vm-3."},
		{"at 17:47:20.962 UTC", "at 17:47:20.962 UTC"},
		{"127.0.0.1 and ::1", "127.0.0.1 and ::1"},
		{"fe80::1%eth0", "2001:db8::1%eth0"},
		{"a::b 1.2.3.4.", "2001:db8::2 198.18.0.1."},
		{"1.2.3.4 again", "198.18.0.1 again"},
		{"52:54:00:AA:BB:CC", "02:00:00:00:00:01"},
	} {
		if got := m.text(c.in); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzMask(f *testing.F) {
	f.Add("vm_a", "10.1.1.1 vm_a ::1 vm_a")
	f.Fuzz(func(t *testing.T, name, text string) {
		m := newMasker()
		m.name("vm", name)
		m.sort()
		if len(m.text(text)) > 64*(len(text)+1) {
			t.Error("grew without bound")
		}
	})
}
