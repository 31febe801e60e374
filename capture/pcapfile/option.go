package pcapfile

import "fmt"

// Option codes; those from 2 on mean another thing in each block.
const (
	optEnd     = 0
	optComment = 1

	shbHardware = 2
	shbOS       = 3
	shbApp      = 4

	ifName        = 2
	ifDescription = 3
	ifMAC         = 6
	ifSpeed       = 8
	ifTSResol     = 9
	ifFilter      = 11
	ifOS          = 12
	ifTSOffset    = 14
	ifHardware    = 15

	epbFlags = 2 // and pack_flags of the obsolete block
	epbDrops = 4

	// optCustom is a custom option with bytes that a copying program may keep. The
	// segment size stands in one of them: the enterprise number, then 16 bits and
	// 16 bits of zero in the section's byte order. spiketop has no number of its
	// own; this one is for documentation (RFC 5612).
	optCustom         = 2989
	privateEnterprise = 32473

	isbStart    = 2
	isbEnd      = 3
	isbReceived = 4
	isbDropped  = 5
)

const (
	maxOwnComments = 64   // of an interface
	maxComments    = 1024 // of a packet
)

// option splits the first option off b, which is not empty. After the end of the
// options, which may be said by an option or just be the end of the block, rest
// is empty.
func (r *Reader) option(b []byte) (code uint16, value, rest []byte, err error) {
	if len(b) < 4 {
		return 0, nil, nil, fmt.Errorf("%w: %d bytes behind the last option", errRecord, len(b))
	}
	code, n := r.order.u16(b), int(r.order.u16(b[2:]))
	if code == optEnd {
		return optEnd, nil, nil, nil
	}
	if n > len(b)-4 {
		return 0, nil, nil, fmt.Errorf("%w: an option of %d bytes (code %d) exceeds its block", errRecord, n, code)
	}
	return code, b[4 : 4+n], b[min(4+(n+3)&^3, len(b)):], nil
}

// keepComment adds a comment of an interface, if they are asked for.
func (r *Reader) keepComment(all []string, v []byte) []string {
	if !r.opt.Comments || len(all) == maxOwnComments || r.textsLeft == 0 {
		return all
	}
	return append(all, r.text(v))
}
