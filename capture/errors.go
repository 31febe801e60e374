package capture

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Classes of errors on which a caller acts. They come with the kernel's error,
// the operation and the link's name.
var (
	ErrPermission = errors.New("needs CAP_NET_RAW")
	ErrNoDevice   = errors.New("no such device")
)

// openError says what could not be opened, in which class.
func openError(name string, err error) error {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("open ring on %s: %w: %w", name, ErrPermission, err)
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("open ring on %s: %w: %w", name, ErrNoDevice, err)
	}
	return fmt.Errorf("open ring on %s: %w", name, err)
}
