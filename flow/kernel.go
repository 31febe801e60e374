package flow

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Kernel is a version of Linux. The zero value is "unknown".
type Kernel struct{ Major, Minor, Patch int }

// ParseKernel reads the release that uname(2) tells: "6.1.0-41-amd64",
// "5.14.0-570.el9.x86_64", "6.18.3". ok is false if it is none.
func ParseKernel(release string) (k Kernel, ok bool) {
	end := strings.IndexFunc(release, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end >= 0 {
		release = release[:end]
	}
	parts := strings.SplitN(strings.TrimRight(release, "."), ".", 4)
	if len(parts) < 2 {
		return Kernel{}, false
	}
	for i, into := range []*int{&k.Major, &k.Minor, &k.Patch} {
		if i == len(parts) {
			break
		}
		n, err := strconv.ParseUint(parts[i], 10, 16)
		if err != nil {
			return Kernel{}, false
		}
		*into = int(n)
	}
	return k, k.Major > 0
}

// Known reports whether k is a version at all.
func (k Kernel) Known() bool { return k.Major > 0 }

// Before reports whether k is older than major.minor.patch.
func (k Kernel) Before(major, minor, patch int) bool {
	return cmp.Or(cmp.Compare(k.Major, major), cmp.Compare(k.Minor, minor), cmp.Compare(k.Patch, patch)) < 0
}

// String returns "6.1.192", or "unknown".
func (k Kernel) String() string {
	if !k.Known() {
		return "unknown"
	}
	return fmt.Sprintf("%d.%d.%d", k.Major, k.Minor, k.Patch)
}
