package host

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"
)

const (
	commandTime  = 2 * time.Second
	commandLimit = 4 << 20 // bytes of output
)

var errLongOutput = errors.New("output too long")

// command runs a program and returns what it prints, bounded in time and size.
func command(ctx context.Context, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	var out, complaint limited
	out.limit, complaint.limit = commandLimit, 1024
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	cmd.Stdout, cmd.Stderr = &out, &complaint
	cmd.WaitDelay = 100 * time.Millisecond // a grandchild may hold the pipe
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		if line, _, _ := strings.Cut(strings.TrimSpace(complaint.kept.String()), "\n"); line != "" {
			return nil, errors.New(clean(line))
		}
		return nil, err
	case out.over:
		return nil, errLongOutput
	}
	return out.kept.Bytes(), nil
}

// limited keeps the first bytes and swallows the rest, so that the program ends.
// The buffer is not embedded: its ReadFrom would go round the limit.
type limited struct {
	kept  bytes.Buffer
	limit int
	over  bool
}

func (l *limited) Write(b []byte) (int, error) {
	if room := l.limit - l.kept.Len(); len(b) > room {
		l.over = true
		l.kept.Write(b[:max(room, 0)])
		return len(b), nil
	}
	return l.kept.Write(b)
}
