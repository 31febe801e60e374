package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"spiketop/capture/socket"
	"spiketop/flow"
)

func TestSpell(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	var s spell
	for i, step := range []struct {
		second int // -1 = it worked
		want   bool
	}{
		{0, false}, {11, false}, {-1, false}, // long, but two tries
		{20, false}, {22, false}, {24, false}, {29, false}, {30, true}, {32, false}, {300, false}, // 10 s, once
		{-1, true}, {-1, false}, // healed, once
		{400, false}, {405, false}, {410, true}, // the next one
	} {
		got := false
		if step.second < 0 {
			got = s.worked()
		} else {
			got = s.failed(at(step.second))
		}
		if got != step.want {
			t.Errorf("step %d: tell %v, want %v", i, got, step.want)
		}
	}
}

// TestUnansweredSockets: a question that ran out of time is nothing to tell, a
// quarter of a minute of them is.
func TestUnansweredSockets(t *testing.T) {
	late := errors.Join(fmt.Errorf("list TCP sockets: %w", context.DeadlineExceeded), fmt.Errorf("list UDP sockets: %w", context.DeadlineExceeded))
	full := errors.Join(fmt.Errorf("list TCP sockets: %w", unix.ENOBUFS), fmt.Errorf("list UDP sockets: %w", unix.ENOBUFS))
	good := socket.Answer{Owners: map[flow.Socket]flow.Owner{}}
	const lost, again = "spiketop: processes of flows and TCP_INFO are not known now: ", "spiketop: processes of flows and TCP_INFO are known again\n"
	for _, tt := range []struct {
		name    string
		answers []socket.Answer // one every 3 s
		want    string
	}{
		{"now and then", []socket.Answer{{Err: late}, good, {Err: late}, {Err: late}, good, {Err: late}}, ""},
		{"for long", []socket.Answer{{Err: late}, {Err: late}, {Err: late}, {Err: late}, {Err: late}, {Err: late}},
			lost + "this host is too busy to find them in time\n"},
		{"healed", []socket.Answer{{Err: full}, {Err: full}, {Err: full}, {Err: full}, {Err: full}, good, good},
			lost + "list TCP sockets: no buffer space available; list UDP sockets: no buffer space available\n" + again},
		{"nothing was asked meanwhile", []socket.Answer{{Err: late}, {Err: late}, {}, {Err: late}, {Err: late}, {}},
			lost + "this host is too busy to find them in time\n"},
		{"refused for good is said as missing, once", []socket.Answer{{Err: unix.EPERM, Refused: true, Missing: []socket.Finding{{What: "sockets", Detail: "no", Remedy: "root"}}},
			{Err: unix.EPERM, Refused: true}, {Err: unix.EPERM, Refused: true}, {Err: unix.EPERM, Refused: true}, {Err: unix.EPERM, Refused: true}, {Err: unix.EPERM, Refused: true}},
			"spiketop: sockets: no; root\n"},
		{"missing without a remedy", []socket.Answer{{Err: unix.EINVAL, Refused: true, Missing: []socket.Finding{{What: "sockets", Detail: "no"}}}}, "spiketop: sockets: no\n"},
		{"the end", []socket.Answer{{Err: context.Canceled}, {Err: context.Canceled}, {Err: context.Canceled}, {Err: context.Canceled}, {Err: context.Canceled}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var said bytes.Buffer
			w := newIdleWatch(&session{diagnostics: &said})
			for i, a := range tt.answers {
				a.At = time.Unix(int64(3*i), 0)
				w.answered(a)
			}
			if said.String() != tt.want {
				t.Errorf("said %q, want %q", said.String(), tt.want)
			}
		})
	}
}

func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"list TCP sockets: late\nlist UDP sockets: late": "list TCP sockets: late; list UDP sockets: late",
		" a\t b \n\n c\r\n": "a b; c",
		"":                  "",
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", in, got, want)
		}
	}
}
