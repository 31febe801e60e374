package incident

// storageIncident is [richIncident] with all that storage, disks and vifs add.
// Its numbers agree: 0.9 s window, in 1.12 GB, out 0.136 GB.
func storageIncident() *Incident {
	in := richIncident()
	in.Storage = &StoragePart{InBytes: 1_120_000_000, OutBytes: 136_000_000, InBps: 9.956e9, OutBps: 1.209e9, BaselineInBps: number(0.52e9), BaselineOutBps: number(0.41e9),
		Amplification: number(0.1214), BaselineAmplification: number(0.788),
		Writes:    StorageWay{StorageBytes{1_000_000_000, 130_000_000}, number(0.13)},
		Reads:     StorageWay{StorageBytes{119_000_000, 6_000_000}, number(0.0504)},
		Undecided: StorageBytes{1_000_000, 0},
		Chains: []ChainPart{{
			In: ChainFlow{Link: "eth0", Proto: "tcp", Local: "10.1.16.165:9422", Remote: "10.1.16.74:40200", Bytes: 60_000_000},
			Out: []ChainFlow{{"eth1", "tcp", "10.1.16.165:41822", "10.1.16.73:9422", 61_000_000, number(1.0167), number(0.97)},
				{"eth0", "tcp", "10.1.16.165:41830", "10.1.16.72:9422", 59_000_000, number(0.9833), number(0.94)}},
			Replicas: 3, Slots: 57}},
		FedBy: []FedBy{{"vm_b", 2.21e9, number(2.2e9), 0, number(0)}, {"vm_a", 1e6, number(-2e5), 3e6, number(1e5)}, {"vm_c", 1e5, nil, 0, nil},
			{"vm_d", 1e5, number(-1e5), 0, number(0)}},
		FedByOther: &FedByOther{2, 1e4, 2e4},
		// Wire 2 s: 900 MB in and 120 MB out more, 340 MB written more: 1020 / 340 = 3.
		WirePerWritten: number(3), Wire: &WirePart{2, 900_000_000, 120_000_000, 340_000_000, 0}}
	// Over 2 s: 150 Mbit/s are 37.5 MB.
	in.VIFs = []VIFPart{{"023472", "vm_b", 37_500_000, 2_500_000, 0, 150e6, number(1e6), 10e6, number(9e6), 120},
		{"023471", "vm_a", 15_500_000, 45_000_000, 0, 62e6, number(60e6), 180e6, number(181e6), 0},
		{"023475", "", 125_000, 125_000, 0.9, 5e5, nil, 5e5, nil, 0}, {"023476", "vm_f", 25_000, 25_000, 0, 1e5, number(1e5), 1e5, number(1e5), 0}}
	// 53.175 MB + 47.7 MB = 100.875 MB of 1008.75 MB: a tenth.
	in.VIFSum = &VIFSum{VIFs: 12, Seconds: 2, RxBytes: 53_175_000, TxBytes: 47_700_000, LinkBytes: 1_008_750_000, Share: number(0.1), BaselineShare: number(0.41),
		Other: &VIFOther{8, 25_000, 50_000, 1e5, 2e5}}
	in.Verdict.Evidence = append(in.Verdict.Evidence, guestEvidence(in)...)
	nameFeeder(in)
	return in
}

// hostileStorage gives in parts on storage and vifs whose every name wants to
// break the reader.
func hostileStorage(in *Incident) {
	s := storageIncident()
	evil := in.Host
	in.Storage, in.VIFs, in.VIFSum = s.Storage, s.VIFs, s.VIFSum
	c := &in.Storage.Chains[0]
	for _, f := range []*ChainFlow{&c.In, &c.Out[0], &c.Out[1]} {
		f.Link, f.Proto, f.Local, f.Remote = evil, evil, evil, evil
	}
	for i := range in.Storage.FedBy {
		in.Storage.FedBy[i].VM = evil
	}
	for i := range in.VIFs {
		in.VIFs[i].VIF, in.VIFs[i].VM = evil, evil
	}
	in.Verdict.Evidence = append(in.Verdict.Evidence, guestEvidence(in)...)
}
