// Package load reads what the kernel says about this host's CPUs: time that a
// hypervisor took away (steal) and time in which tasks waited for a CPU (PSI).
// It tells a network that was slow from a host that was. No capability is needed.
package load
