package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"spiketop/flow"
)

// maxConfig bounds the configuration file: it is written by a person. What the
// YAML library does with 64 KiB of these lines takes less than a second.
const (
	maxConfig      = 64 << 10
	maxConfigLine  = 512
	maxConfigDepth = 8 // brackets in one another
)

// systemConfig is read if the person has no own file.
const systemConfig = "/etc/spiketop.yaml"

// config is what the configuration file says (docs/CLASSES.md). The zero value
// is what no file says.
type config struct {
	path      string // "" = there is none
	rules     []flow.Rule
	vifs      map[string]string // name of a vif -> name of the guest behind it
	linkSpeed map[string]uint64 // bit/s by NIC name
	pings     []string
}

// configPath returns the file to read: the one that was named, else the
// person's, else the host's; "" if there is none of these two.
func configPath(named string, getenv func(string) string) string {
	if named != "" {
		return named
	}
	if dir := getenv("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		if path := filepath.Join(dir, "spiketop.yaml"); exists(path) {
			return path
		}
	}
	if exists(systemConfig) {
		return systemConfig
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, os.ErrNotExist)
}

// readConfig reads the file at path; "" gives the zero config. Classes that it
// names are defined only if all of it is good.
func readConfig(path string) (config, error) {
	if path == "" {
		return config{}, nil
	}
	text, err := readSmallFile(path)
	if err != nil {
		return config{}, fmt.Errorf("read --config: %w", err)
	}
	return parseConfig(path, text)
}

// readSmallFile does not wait for a pipe that nobody writes.
func readSmallFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(text) > maxConfig {
		err = fmt.Errorf("%s: longer than %d bytes", path, maxConfig)
	}
	return text, err
}

// checkConfigShape refuses what would keep the YAML library busy: its time
// grows with the square of the depth.
func checkConfigShape(path string, text []byte) error {
	line, column, depth := 1, 0, 0
	for _, c := range text {
		column++
		switch c {
		case '\n':
			line, column = line+1, 0
		case '[', '{':
			depth++
		case ']', '}':
			depth = max(depth-1, 0)
		}
		if column > maxConfigLine {
			return &configError{path, line, column, fmt.Sprintf("the line is longer than %d bytes", maxConfigLine)}
		}
		if depth > maxConfigDepth {
			return &configError{path, line, column, fmt.Sprintf("more than %d brackets in one another", maxConfigDepth)}
		}
	}
	return nil
}

// configError says where a configuration file is wrong, and why.
type configError struct {
	path         string
	line, column int // from 1
	reason       string
}

func (e *configError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.path, e.line, e.column, e.reason)
}
