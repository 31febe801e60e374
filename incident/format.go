package incident

import (
	"math"
	"strconv"
	"time"
)

// NoValue is what every formatter writes for something that is not known.
// Unknown is shown as unknown, never as zero.
const NoValue = "?"

// siUnits are the prefixes of powers of 1000 (SI, as ISO/IEC 80000 has them).
var siUnits = [...]string{"", "k", "M", "G", "T", "P", "E"}

// Rate writes bit/s with three significant digits and a unit letter: "6.81G",
// "61.3M", "210M", "812b", "0" for nothing and "<1b" for less than one.
// It is at most five characters wide for anything that is not negative. NaN and
// infinities are [NoValue].
func Rate(bps float64) string {
	return si(bps, "b", "")
}

// Change writes a difference of rates like [Rate], always with its sign:
// "+6.60G", "-1.20M"; "0" for no change. At most six characters.
func Change(bps float64) string {
	s := Rate(bps)
	if bps >= 1 && s != NoValue {
		return "+" + s
	}
	return s
}

// Bytes writes an amount of bytes with three significant digits: "6.81GB",
// "61.3MB", "812B", "0". At most six characters.
func Bytes(n uint64) string {
	return si(float64(n), "B", "B")
}

// si writes v with the SI prefix that leaves 1 to 3 digits in front of the
// point. What stands in front of the prefix never has more than three digits:
// 999.5 is "1.00k". Below 1000 the number is whole and followed by plain, above
// by prefix and suffix.
func si(v float64, plain, suffix string) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return NoValue
	}
	sign := ""
	if v < 0 {
		sign, v = "-", -v
	}
	switch {
	case v == 0:
		return "0"
	case v < 1:
		return "<1" + plain
	case v < 999.5:
		return sign + strconv.FormatFloat(v, 'f', 0, 64) + plain
	}
	unit := 0
	for v >= 999.5 && unit < len(siUnits)-1 {
		v /= 1000
		unit++
	}
	if v >= 999.5 {
		return sign + ">999" + siUnits[unit] + suffix
	}
	return sign + threeDigits(v) + siUnits[unit] + suffix
}

// threeDigits writes 0.9995 <= v < 999.5 with three significant digits.
func threeDigits(v float64) string {
	decimals := 0
	switch {
	case v < 9.995:
		decimals = 2
	case v < 99.95:
		decimals = 1
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

// Ms writes a duration in milliseconds, without the unit: "0.021", "0.21",
// "61.30", "120.4", "2000". That is a microsecond below 0.1 ms, 10 us below
// 100 ms, 0.1 ms below a second and whole milliseconds from there: at most five
// characters up to 99 s, and a round trip in a quiet network keeps two digits.
// A negative duration (probe.None) is [NoValue].
func Ms(d time.Duration) string {
	if d < 0 {
		return NoValue
	}
	ms := float64(d) / 1e6
	decimals := 0
	switch {
	case ms == 0:
	case ms < 0.0995:
		decimals = 3
	case ms < 99.995:
		decimals = 2
	case ms < 999.95:
		decimals = 1
	}
	return strconv.FormatFloat(ms, 'f', decimals, 64)
}

// Percent writes a ratio (1 = 100 %): "97%", "2.5%", "99.8%". One decimal stands
// below 10 % and between 99 and 100 %, where it matters for loss and coverage.
// What is not quite whole is never "100%", what is not quite nothing never "0%".
// NaN, infinities and negative ratios are [NoValue].
func Percent(ratio float64) string {
	p := ratio * 100
	switch {
	case math.IsNaN(p) || math.IsInf(p, 0) || p < 0:
		return NoValue
	case p == 0:
		return "0%"
	case p < 0.1:
		return "<0.1%"
	case p < 9.95:
		return strconv.FormatFloat(p, 'f', 1, 64) + "%"
	case p < 99 || p >= 100:
		return strconv.FormatFloat(p, 'f', 0, 64) + "%"
	}
	return strconv.FormatFloat(math.Floor(p*10)/10, 'f', 1, 64) + "%"
}
