package flow

import "time"

// Socket names one socket of this host: a Key without its VLAN. A listening
// socket has the zero Remote and RemotePort, one bound to every address the zero
// Local as well. IPv4 addresses are ::ffff:a.b.c.d, as in Key.
type Socket struct {
	Local, Remote         [16]byte
	LocalPort, RemotePort uint16
	Proto                 uint8
}

// SocketOf returns the socket that would carry the flow k on this host.
func SocketOf(k *Key) Socket {
	return Socket{k.Local, k.Remote, k.LocalPort, k.RemotePort, k.Proto}
}

// Owner says which process has a socket.
type Owner struct {
	PID    int    // 0 with Kernel
	Name   string // the process's comm, at most 15 bytes, foreign text
	Kernel bool   // the socket has an owner inside the kernel: nfsd, krbd, iscsi, nvme-tcp, ...
}

// TCPInfo is what the kernel knows of a TCP connection of this host (tcp_info,
// include/uapi/linux/tcp.h).
type TCPInfo struct {
	RTT, MinRTT time.Duration // 0 = not measured yet
	Retransmits uint32        // segments sent again since the connection began
	DeliveryBps uint64        // bit/s, the newest delivery rate; 0 = unknown
	AppLimited  bool          // DeliveryBps was limited by what the program had to send
}
