package flow

import (
	"fmt"
	"strings"
)

// builtinRule is a line of the built-in table: by which processes and ports a
// program is known on this host. It is asked about flows of this host's own
// addresses only.
type builtinRule struct {
	Class     Class
	Label     string // a finer word for a host's flow, or ""
	System    string
	Processes []string // as Rule.Processes
	Ports     []PortRange
	Proto     string // of the ports: "tcp", "udp", "tcp udp"
	// OnlyProcess: others use these ports too, or they are given out as ephemeral
	// ones. They are listed for the reader and decide nothing.
	OnlyProcess bool
	// OnlyKernel: the ports count for sockets of the kernel alone.
	OnlyKernel bool
	Source     string // of the ports, where they have been looked up
}

// Labels of the built-in rules.
const (
	LabelMonitoring = "monitoring"
	LabelLogs       = "logs"
)

// Labels lists them.
var Labels = [...]string{LabelMonitoring, LabelLogs}

func ports(list ...uint16) []PortRange {
	out := make([]PortRange, len(list))
	for i, p := range list {
		out[i] = PortRange{p, p}
	}
	return out
}

// builtins is the built-in table; docs/CLASSES.md shows it and a test compares
// the two. Within a step (processes, then ports) the first line wins.
var builtins = [...]builtinRule{
	{Class: Storage, System: "Ceph OSD, MDS, manager", Processes: []string{"ceph-osd", "ceph-mds", "ceph-mgr"},
		Ports: []PortRange{{6800, 7568}}, Proto: "tcp", Source: "Ceph: ms_bind_port_min and ms_bind_port_max; firewalld ceph.xml"},
	{Class: Storage, System: "Ceph monitor", Processes: []string{"ceph-mon"}, Ports: ports(3300, 6789), Proto: "tcp", Source: "firewalld ceph-mon.xml"},
	{Class: Storage, System: "GlusterFS", Processes: []string{"glusterd", "glusterfs", "glusterfsd"},
		Ports: []PortRange{{24007, 24008}}, Proto: "tcp", Source: "firewalld glusterfs.xml"},
	{Class: Storage, System: "GlusterFS bricks", Ports: []PortRange{{49152, 65535}}, Proto: "tcp", OnlyProcess: true, Source: "glusterfs: GF_IANA_PRIV_PORTS_START"},
	{Class: Storage, System: "HDFS datanode", Ports: []PortRange{{9864, 9864}, {9866, 9867}}, Proto: "tcp", Source: "hdfs-default.xml: dfs.datanode.address and its kin"},
	{Class: Storage, System: "MooseFS chunkserver", Processes: []string{"mfschunkserver", "chunkserver"}, Ports: ports(9422), Proto: "tcp", Source: "mfschunkserver.cfg: CSSERV_LISTEN_PORT"},
	{Class: Storage, System: "MooseFS master", Processes: []string{"mfsmaster", "mfsmount"}, Ports: []PortRange{{9419, 9421}}, Proto: "tcp", Source: "mfschunkserver.cfg: MASTER_PORT; MooseFS manual, network"},
	{Class: Storage, System: "SeaweedFS", Processes: []string{"weed"}, Ports: ports(8080), Proto: "tcp", OnlyProcess: true, Source: "weed volume: -port"},
	{Class: Storage, System: "BeeGFS storage and metadata", Processes: []string{"beegfs-storage", "beegfs-meta"}, Ports: ports(8003, 8005), Proto: "tcp udp", Source: "BeeGFS documentation, ports"},
	{Class: Storage, System: "BeeGFS client, helper, management", Processes: []string{"beegfs-*"}, Ports: ports(8004, 8006, 8008), Proto: "tcp udp", OnlyProcess: true, Source: "BeeGFS documentation, ports"},
	{Class: Storage, System: "Lustre", Processes: []string{"socknal_*"}, Ports: ports(988), Proto: "tcp", Source: "Lustre manual: LNet acceptor"},
	{Class: Storage, System: "DRBD", Processes: []string{"drbd*"}, Ports: ports(7788), Proto: "tcp", Source: "DRBD user's guide, example port"},
	{Class: Storage, System: "Longhorn", Processes: []string{"longhorn*"}, Ports: []PortRange{{8500, 8501}, {9500, 9500}, {10000, 30000}}, Proto: "tcp", OnlyProcess: true, Source: "Longhorn documentation 1.3.4, networking"},
	{Class: Storage, System: "iSCSI", Processes: []string{"iscsid", "tgtd", "iscsi_*"}, Ports: ports(3260), Proto: "tcp", Source: "firewalld iscsi-target.xml"},
	{Class: Storage, System: "NVMe over TCP", Processes: []string{"nvmf_tgt", "nvme*"}, Ports: ports(4420), Proto: "tcp", Source: "IANA nvme; linux/nvme-tcp.h"},
	{Class: Storage, System: "NVMe over TCP, discovery", Ports: ports(8009), Proto: "tcp", OnlyKernel: true, Source: "linux/nvme-tcp.h: NVME_TCP_DISC_PORT"},
	{Class: Storage, System: "NFS", Processes: []string{"nfsd", "ganesha.nfsd", "rpc.mountd"}, Ports: ports(2049, 20048), Proto: "tcp udp", Source: "firewalld nfs.xml, mountd.xml"},
	{Class: Storage, System: "SMB", Processes: []string{"smbd", "ksmbd*", "cifsd"}, Ports: ports(139, 445), Proto: "tcp", Source: "firewalld samba.xml"},
	{Class: Storage, System: "Curve metadata", Processes: []string{"curve*"}, Ports: ports(6700, 7700, 7800), Proto: "tcp", Source: "curveadm wiki"},
	{Class: Storage, System: "CurveBS chunkserver", Ports: []PortRange{{8200, 8299}}, Proto: "tcp", OnlyProcess: true, Source: "curveadm wiki: listen.port 82${format_replicas_sequence}"},
	{Class: Storage, System: "MinIO", Processes: []string{"minio"}, Ports: ports(9000), Proto: "tcp", OnlyProcess: true},
	{Class: Storage, System: "Pangu", Processes: []string{"pangu*"}},

	{Class: Host, Label: LabelMonitoring, System: "Zabbix", Processes: []string{"zabbix_*"}, Ports: []PortRange{{10050, 10051}}, Proto: "tcp", Source: "IANA zabbix-agent, zabbix-trapper"},
	{Class: Host, Label: LabelMonitoring, System: "SNMP", Processes: []string{"snmpd", "snmptrapd"}, Ports: []PortRange{{161, 162}}, Proto: "tcp udp", Source: "IANA snmp, snmptrap"},
	{Class: Host, Label: LabelMonitoring, System: "Prometheus and its exporters", Processes: []string{"prometheus", "node_exporter", "ceph-exporter",
		"libvirt-exporter", "libvirt_exporter", "process-exporter", "blackbox_exporter", "alloy", "cadvisor"}},
	{Class: Host, Label: LabelMonitoring, System: "other agents", Processes: []string{"telegraf", "collectd", "netdata", "nrpe", "munin-node", "pmcd"}},
	{Class: Host, Label: LabelLogs, System: "syslog", Processes: []string{"rsyslogd", "syslog-ng"}, Ports: ports(514), Proto: "udp", Source: "RFC 5426"},
	{Class: Host, Label: LabelLogs, System: "syslog over TLS", Ports: ports(6514), Proto: "tcp", Source: "RFC 5425"},
	{Class: Host, Label: LabelLogs, System: "log shippers", Processes: []string{"filebeat", "fluentd", "fluent-bit", "td-agent*", "promtail", "loki", "vector", "systemd-journal-upload"}},
}

// portEntry is one port or range of the table with its reason.
type portEntry struct {
	PortRange
	tcp, udp, kernel bool
	rule             *builtinRule
	why              string
}

var portEntries = makePortEntries()

func makePortEntries() (list []portEntry) {
	for i := range builtins {
		b := &builtins[i]
		if b.OnlyProcess {
			continue
		}
		for _, p := range b.Ports {
			name := b.System
			if b.Label != "" {
				name += ", " + b.Label
			}
			list = append(list, portEntry{p, strings.Contains(b.Proto, "tcp"), strings.Contains(b.Proto, "udp"), b.OnlyKernel, b,
				fmt.Sprintf("port %s (%s) on a host address", p, name)})
		}
	}
	return list
}

// String returns "9422" or "6800-7568".
func (p PortRange) String() string {
	if p.Lo == p.Hi {
		return fmt.Sprint(p.Lo)
	}
	return fmt.Sprintf("%d-%d", p.Lo, p.Hi)
}

// findPort returns the line of the table that knows the port, or nil.
func findPort(proto uint8, port uint16, kernel bool) *portEntry {
	for i := range portEntries {
		if e := &portEntries[i]; e.Lo <= port && port <= e.Hi && (!e.kernel || kernel) &&
			(e.tcp && proto == ProtoTCP || e.udp && proto == ProtoUDP) {
			return e
		}
	}
	return nil
}

// builtinProcess returns the line of the table that knows the process, or nil.
func builtinProcess(comm string) *builtinRule {
	if comm == "" {
		return nil
	}
	for i := range builtins {
		for _, p := range builtins[i].Processes {
			if isProcess(p, comm) {
				return &builtins[i]
			}
		}
	}
	return nil
}

// IsStoragePort reports whether the built-in table has the port for a storage,
// whoever listens there.
func IsStoragePort(proto uint8, port uint16) bool {
	e := findPort(proto, port, true)
	return e != nil && e.rule.Class == Storage
}
