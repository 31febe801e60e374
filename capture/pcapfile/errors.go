package pcapfile

import (
	"errors"
	"fmt"
)

// Classes of trouble. Each comes within a *FileError; ask with errors.Is.
var (
	// ErrTruncated: the file ends in the middle of something. All packets before
	// that were good.
	ErrTruncated = errors.New("the file is cut off")
	// ErrFormat: the bytes are no capture file, or break its format here.
	ErrFormat = errors.New("not a capture file")
	// ErrStalled: a pipe gave nothing for Options.Stall.
	ErrStalled = errors.New("nothing came")
	// ErrStopped: Options.Stop was closed while a pipe was waited for.
	ErrStopped = errors.New("stopped")
	// ErrKind: the name stands for something that no capture can be read from.
	ErrKind = errors.New("not a file")
)

// FileError says where reading ended. What came before is usable.
type FileError struct {
	Name   string // as given to Open or NewReader
	Offset int64  // in the uncompressed file, where the record or block begins
	Err    error
}

func (e *FileError) Error() string {
	if e.Offset == 0 {
		return e.Name + ": " + e.Err.Error()
	}
	return fmt.Sprintf("%s: at byte %d: %s", e.Name, e.Offset, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// formatError is a sentence of its own that is of class ErrFormat.
type formatError string

func (e formatError) Error() string        { return string(e) }
func (e formatError) Is(target error) bool { return target == ErrFormat }

func badFormat(format string, args ...any) error {
	return formatError(fmt.Sprintf(format, args...))
}

// cutOff says what the file ends in the middle of.
func cutOff(what string) error { return fmt.Errorf("%w in %s", ErrTruncated, what) }

// errRecord begins what is said of a record or block that cannot be.
var errRecord = formatError("the file is damaged")

// errEmpty is the truncation of a file to nothing.
var errEmpty = fmt.Errorf("%w: it is empty", ErrTruncated)

// blockError is an error inside a block that began at offset.
type blockError struct {
	offset int64
	err    error
}

func (e *blockError) Error() string { return e.err.Error() }
func (e *blockError) Unwrap() error { return e.err }
