package host

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCommand(t *testing.T) {
	ctx := context.Background()
	out, err := command(ctx, "/bin/sh", "-c", "echo yes; echo no >&2")
	if err != nil || string(out) != "yes\n" {
		t.Errorf("got %q, %v", out, err)
	}
	if _, err = command(ctx, "/bin/sh", "-c", `printf 'bad\033 news\nmore' >&2; exit 1`); err == nil || err.Error() != "bad\uFFFD news" {
		t.Errorf("want its first line, got %v", err)
	}
	if _, err = command(ctx, "/bin/sh", "-c", "head -c 9000000 /dev/zero"); !errors.Is(err, errLongOutput) {
		t.Errorf("want %v, got %v", errLongOutput, err)
	}
	if _, err = command(ctx, "/nowhere/tool"); err == nil {
		t.Error("want an error of a tool that is not there")
	}
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err = command(short, "/bin/sh", "-c", "sleep 100 & wait"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("want %v, got %v", context.DeadlineExceeded, err)
	}
	if out, err = command(ctx, "/bin/sh", "-c", "echo $LC_ALL $HOME"); err != nil || strings.TrimSpace(string(out)) != "C" {
		t.Errorf("its environment: got %q, %v", out, err)
	}
}
