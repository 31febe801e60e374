// Package socket says which process owns a flow of this host, which sockets
// listen, and what TCP knows of a connection.
//
// It asks the kernel for sockets (NETLINK_SOCK_DIAG, which needs no capability)
// and looks for the process that holds a socket's inode among the symbolic
// links /proc/PID/fd (for other users' processes: CAP_DAC_READ_SEARCH and
// CAP_SYS_PTRACE). The first is cheap, about as much as an exchange on a local
// socket; the second costs a system call for each open file of the host. So
// only the sockets that somebody asks about are looked for: first where they
// were found before, then in the processes that own other asked sockets, then
// everywhere; the last is rare, and done in portions.
//
//   - [Owners] answers. [Owners.Run] does so in the background, so that whoever
//     watches never waits for /proc.
//   - [Check] says what of all this is possible here, and what would help.
//
// What an answer means:
//
//   - A process owns a socket if one of its file descriptors was that socket
//     when the answer was made. If several hold it, the lowest PID is named, and
//     PID 1 only if there is no other: it keeps the listening sockets that it
//     opens for services.
//   - [flow.Owner.Kernel] means: the socket has an inode, and a look through
//     every process of the whole host found no descriptor of it, and it was still
//     there afterwards. So have nfsd, krbd, iSCSI, NVMe/TCP, DRBD, VXLAN; but
//     also the rare program that keeps sockets in io_uring's own table only. Where
//     not every process can be seen, nobody is called the kernel.
//   - A connection without inode (TIME_WAIT, an end that its program has closed,
//     one not yet accepted) has no owner. It keeps the one it was known to have
//     for two minutes.
//   - Only sockets of the network namespace of the thread that called [New].
//
// Names of processes are what the processes say of themselves (comm): any
// bytes but zero, at most 15, not escaped and not proof of anything. Who
// prints them escapes them.
package socket
