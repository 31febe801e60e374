package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"spiketop/testdata/netlab"
)

// TestDoctor: as root, without any right and in an empty namespace the doctor
// ends with status 0, says what is missing, and sends nothing.
func TestDoctor(t *testing.T) {
	ns, peer, empty := netlab.NewNS(t, "doctor"), netlab.NewNS(t, "docpeer"), netlab.NewNS(t, "docempty")
	netlab.NeedTool(t, "netns", "setpriv")
	for _, n := range []*netlab.NS{ns, peer} { // the kernel announces its addresses for many seconds
		n.Sysctl("net.ipv6.conf.default.disable_ipv6=1")
	}
	netlab.Veth(t, ns, "eth0", peer, "p0")
	copied := publicCopy(t)
	nobody := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", copied, "doctor"}
	sent := func() string { return ns.IP("-s link show dev eth0") }
	before := sent()
	for _, tt := range []struct {
		name string
		ns   *netlab.NS
		args []string
		want []string
	}{
		{"as root", ns, []string{copied, "doctor"}, []string{"+ CAP_NET_RAW", "+ ring on eth0", "+ ping IPv4", "- bond "}},
		{"without any right", ns, nobody, []string{"x CAP_NET_RAW", "x ring on eth0", "x ping IPv4", "setcap cap_net_raw+ep " + copied}},
		{"in an empty namespace", empty, nobody, []string{"x NICs to capture", "none to capture"}},
		{"a NIC that does not exist", ns, []string{copied, "doctor", "eth9"}, []string{"x NICs to capture", "eth9"}},
		{"JSON", empty, []string{copied, "doctor", "--json"}, []string{`"schema": "` + doctorSchema + `"`, `"what": "NICs to capture"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stderr strings.Builder
			cmd := tt.ns.Command(tt.args[0], tt.args[1:]...)
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil || stderr.String() != "" {
				t.Errorf("%v, standard error %q; want status 0 and nothing", err, stderr.String())
			}
			for _, want := range tt.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
		})
	}
	if after := sent(); after != before {
		t.Errorf("the counters of eth0 have changed:\n%s\n%s", before, after)
	}
}

// publicCopy is the program where anybody may run it.
func publicCopy(t *testing.T) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "spiketop")
	if out, err := exec.Command("cp", binary(t), copied).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
	for dir := filepath.Dir(copied); dir != "/" && dir != os.TempDir(); dir = filepath.Dir(dir) {
		_ = os.Chmod(dir, 0o755)
	}
	return copied
}
