package nic

import "spiketop/flow"

// A meaning is what counters of one or several drivers count. The first
// alternative of which the driver has a name is taken, and all its names that
// there are, are added up; "#" stands for a number of any length (a queue, a
// priority). Two alternatives may count the same frames, so they are never mixed.
type meaning struct {
	what         flow.NICCount
	alternatives [][]string
}

// meanings are the drivers' own names, of the kernel's drivers/net. Where a driver
// has a counter for "asked to wait" (XOFF) and one for "go on" (XON), only the
// first is taken.
var meanings = []meaning{
	{flow.NICMissed, [][]string{
		{"rx_discards_phy"},                       // mlx5: "dropped due to lack of buffers on the physical port"
		{"port.rx_dropped"}, {"port.rx_discards"}, // i40e: eth.rx_discards
		{"rx_dropped.nic"},                  // ice: eth.rx_discards
		{"rx_missed_errors"}, {"rx_missed"}, // ixgbe, igb, igc, e1000e, e1000; r8169
		{"port_rx_overflow", "port_rx_nodesc_drops"}, // sfc
		{"rx_brb_discard"}, {"brb_discards"},         // bnx2x; qede
		{"rx_total_ring_discards"}, // bnxt since 6.8
		{"rx_total_discard_pkts"},  // bnxt before
		{"rx_discards"},            // tg3
		{"rx_drops_no_fragments"},  // be2net
	}},
	{flow.NICNoBuffer, [][]string{
		{"rx_out_of_buffer"},                  // mlx5
		{"rx_no_dma_resources"},               // ixgbe, ngbe, txgbe
		{"rx_no_buffer_count"},                // igb, igc, e1000e, e1000
		{"rx_alloc_fail", "rx_pg_alloc_fail"}, // i40e, ice: the host had no memory for a buffer
		{"rx_total_oom_discards"},             // bnxt since 6.8
		{"rx_drops_no_pbuf"},                  // be2net
		{"no_buff_discards"},                  // qede
		{"rx_no_bufs"},                        // enic
		{"rx_hw_drop_overruns"},               // virtio_net where the device counts it (VIRTIO_NET_F_DEVICE_STATS)
		{"rxbds_empty"},                       // tg3
		{"rx_noskb_drops"},                    // sfc
	}},
	{flow.NICFifo, [][]string{
		{"rx_fifo_errors"},          // igb, igc, e1000e, ixgbe, mlx4, be2net, hns3
		{"rx_over_errors"},          // igb, ixgbe
		{"rx_fifo_overflow_errors"}, // nicvf, stmmac
	}},
	{flow.NICPauseRx, [][]string{
		{"rx_global_pause", "rx_prio#_pause"},                                          // mlx5: the one without PFC, the others with it
		{"rx_pause_ctrl_phy"},                                                          // mlx5
		{"rx_flow_control_xoff", "rx_pb_#_pxoff"},                                      // ixgbe (802.3x and PFC), igb, igc, e1000e
		{"port.link_xoff_rx", "port.rx_priority_#_xoff", "port.rx_priority_#_xoff_rx"}, // i40e
		{"link_xoff_rx.nic", "rx_priority_#_xoff.nic"},                                 // ice
		{"rx_pause_frames", "rx_pfc_frames"},                                           // bnxt (802.3x and PFC), bnx2x, be2net, qede
		{"rx_xoff_pause_rcvd"},                                                         // tg3
		{"port_rx_pause"},                                                              // sfc
		{"rx_pause", "rx_pause_prio_#"},                                                // mlx4
		{"RxPauseFrames"},                                                              // cxgb4
		{"mac_rx_mac_pause_num", "mac_rx_pfc_pause_pkt_num"},                           // hns3
		{"mac_rx_mac_pause_num", "mac_rx_pfc_pkt_num"},                                 // hinic
		{"mac.rx_pause_mac_ctrl_frames"}, {"mmc_rx_pause_frames"},                      // nfp; stmmac
	}},
	{flow.NICPauseTx, [][]string{
		{"tx_global_pause", "tx_prio#_pause"},
		{"tx_pause_ctrl_phy"},
		{"tx_flow_control_xoff", "tx_pb_#_pxoff"},
		{"port.link_xoff_tx", "port.tx_priority_#_xoff", "port.tx_priority_#_xoff_tx"},
		{"link_xoff_tx.nic", "tx_priority_#_xoff.nic"},
		{"tx_pause_frames", "tx_pfc_frames"},
		{"tx_xoff_sent"},
		{"port_tx_pause"},
		{"tx_pause", "tx_pause_prio_#"},
		{"TxPauseFrames"},
		{"mac_tx_mac_pause_num", "mac_tx_pfc_pause_pkt_num"},
		{"mac_tx_mac_pause_num", "mac_tx_pfc_pkt_num"},
		{"mac.tx_pause_mac_ctrl_frames"}, {"mmc_tx_pause_frame", "mmc_tx_pause_frames"},
	}},
}

// place says which of a driver's values make up each count.
type place [flow.NICCounts][]int

// find looks the driver's names up.
func find(names []string) (p place) {
	for _, m := range meanings {
		for _, group := range m.alternatives {
			for i, n := range names {
				for _, pattern := range group {
					if like(pattern, n) {
						p[m.what] = append(p[m.what], i)
						break
					}
				}
			}
			if len(p[m.what]) > 0 {
				break
			}
		}
	}
	return p
}

// sum adds the values up; what has no place is not known.
func (p *place) sum(values []uint64, s *flow.NICStats) {
	for c, list := range p {
		s.Known[c], s.Count[c] = len(list) > 0, 0
		for _, i := range list {
			if i >= len(values) {
				s.Known[c], s.Count[c] = false, 0
				break
			}
			s.Count[c] += values[i]
		}
	}
}

// like compares a name with a pattern in which "#" is a number.
func like(pattern, name string) bool {
	for pattern != "" {
		if pattern[0] != '#' {
			if name == "" || name[0] != pattern[0] {
				return false
			}
			pattern, name = pattern[1:], name[1:]
			continue
		}
		digits := 0
		for digits < len(name) && name[digits] >= '0' && name[digits] <= '9' {
			digits++
		}
		if digits == 0 {
			return false
		}
		pattern, name = pattern[1:], name[digits:]
	}
	return name == ""
}
