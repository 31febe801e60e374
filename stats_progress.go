package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// progressFrom is how large a file must be for a progress bar.
const progressFrom = 100 << 20

// showProgress draws a bar while a large file is read, if stderr is a terminal.
// consumed says how far reading has come. The function returned ends it and
// clears its line.
func showProgress(stderr io.Writer, path string, consumed func() int64) func() {
	f, ok := stderr.(*os.File)
	if !ok {
		return func() {}
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err != nil {
		return func() {}
	}
	fi, err := os.Stat(path)
	if err != nil || !fi.Mode().IsRegular() || fi.Size() <= progressFrom {
		return func() {}
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		t := time.NewTicker(200 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-stop:
				fmt.Fprint(f, "\r\x1b[K")
				return
			case <-t.C:
				fmt.Fprintf(f, "\r%s\x1b[K", progressBar(consumed(), fi.Size()))
			}
		}
	})
	return func() {
		close(stop)
		wg.Wait()
	}
}

func progressBar(done, all int64) string {
	const width = 30
	share := min(float64(done)/float64(all), 1)
	n := int(share * width)
	return fmt.Sprintf("reading [%s%s] %3.0f %%  %d of %d MB", strings.Repeat("#", n), strings.Repeat(".", width-n), share*100, done>>20, all>>20)
}
