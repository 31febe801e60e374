// Package capture turns the frames of network devices into counted traffic.
//
// A [Reader] drains one link: it opens the device's ring (capture/tpacket),
// decodes each frame (capture/decode), counts it in the link's own [flow.Table]
// and hands on a [flow.Batch] with the closed slots, the echoes and a watermark.
// Bytes of packets never leave the package. All Readers of a process share one
// [Clock], so that stamps of two links compare.
//
// Subpackages: link knows the devices and their counters.
package capture
