package link

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// Kernel is the version of the running kernel, zero if it does not tell one.
func Kernel() flow.Kernel {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return flow.Kernel{}
	}
	k, _ := flow.ParseKernel(unix.ByteSliceToString(u.Release[:]))
	return k
}

// Hidden says by which ways traffic may pass the captured links, or this host,
// without any packet tap seeing it: what the hardware offers (Bypass), and
// virtual functions and XDP programs of the links. Names of devices in it are
// foreign text.
func (s *State) Hidden(links []flow.Link) []string {
	list := slices.Clone(s.Bypass)
	for i := range links {
		d := s.Device(links[i].Ifindex)
		if d == nil || links[i].State == flow.LinkGone {
			continue
		}
		if d.VFs > 0 {
			list = append(list, fmt.Sprintf("%s has %s (SR-IOV): what goes through them is not seen", d.Name, many(d.VFs, "virtual function")))
		}
		if d.XDP != 0 {
			list = append(list, fmt.Sprintf("XDP program %d on %s: what it drops or redirects is not seen", d.XDP, d.Name))
		}
	}
	return list
}

func many(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Bounds of what is read: a host has a few dozens of each at most.
const (
	mostDevices = 1024 // entries of a directory
	mostNamed   = 4    // devices named in a sentence
)

// bypass looks for hardware that carries traffic past the kernel's network
// stack: RDMA devices, and NICs that a user-space driver has taken.
func (r Roots) bypass() (list []string) {
	if s := r.rdma(); s != "" {
		list = append(list, s)
	}
	if s := r.userDrivers(); s != "" {
		list = append(list, s)
	}
	return list
}

// rdma names the RDMA devices with their NICs (Documentation/ABI/stable/sysfs-class-infiniband).
func (r Roots) rdma() string {
	dir := filepath.Join(r.Sysfs, "class/infiniband")
	var names []string
	for _, dev := range entries(dir) {
		if _, err := os.Lstat(filepath.Join(dir, dev, "device")); err != nil {
			continue // RDMA in software (rxe, siw) sends through the kernel's network stack
		}
		if nics := entries(filepath.Join(dir, dev, "device/net")); len(nics) > 0 {
			dev += " on " + strings.Join(nics[:min(len(nics), mostNamed)], ", ")
		}
		names = append(names, dev)
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("RDMA (%s): storage over RoCE, iWARP or InfiniBand is not seen", some(names))
}

// userDrivers counts the network devices bound to drivers that hand them to user
// space. Which of DPDK, a virtual machine or nobody uses them is not to be seen.
func (r Roots) userDrivers() string {
	var names []string
	for _, driver := range []string{"vfio-pci", "uio_pci_generic", "igb_uio"} {
		dir := filepath.Join(r.Sysfs, "bus/pci/drivers", driver)
		for _, dev := range entries(dir) {
			class, err := os.ReadFile(filepath.Join(dir, dev, "class"))
			if err == nil && strings.HasPrefix(string(class), "0x02") { // PCI class 2 is network
				names = append(names, dev+" with "+driver)
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("NICs handed to user space (%s): DPDK or a VM uses them, what they carry is not seen", some(names))
}

// some joins names, the first few of many.
func some(names []string) string {
	if n := len(names) - mostNamed; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNamed], ", "), n)
	}
	return strings.Join(names, ", ")
}

// entries lists a directory, sorted; nil if it is not there.
func entries(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(mostDevices)
	slices.Sort(names)
	return names
}
