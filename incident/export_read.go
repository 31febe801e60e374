package incident

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Bounds of what ReadJSON accepts. An incident of four links at its longest
// (20 s and 5 s on both sides) has some 400 kB and under a thousand objects.
const (
	MaxJSON        = 8 << 20 // bytes
	maxJSONObjects = 20_000  // an object of two bytes becomes some 300 bytes of memory
)

// ErrSchema says that a file is of another major version, or no incident at all.
var ErrSchema = errors.New("not an incident this version can read")

// ReadJSON reads an incident.json. Fields that it does not know are ignored; a
// file of another major schema is refused with [ErrSchema]. At most [MaxJSON]
// bytes are read, and what may be allocated for them is bounded too. The strings
// are foreign text: whoever shows them passes them through [Clean].
func ReadJSON(r io.Reader) (*Incident, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxJSON+1))
	if err != nil {
		return nil, fmt.Errorf("read incident: %w", err)
	}
	if len(b) > MaxJSON {
		return nil, fmt.Errorf("read incident: larger than %s", Bytes(MaxJSON))
	}
	if n := bytes.Count(b, []byte("{")); n > maxJSONObjects {
		return nil, fmt.Errorf("read incident: more than %d objects", maxJSONObjects)
	}
	var head struct {
		Schema *string `json:"schema"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("read incident: %w", err)
	}
	if err := checkSchema(head.Schema); err != nil {
		return nil, err
	}
	in := new(Incident)
	if err := json.Unmarshal(b, in); err != nil {
		return nil, fmt.Errorf("read incident: %w", err)
	}
	return in, nil
}

// checkSchema accepts our major version with or without a minor one:
// "spiketop.incident/1", "spiketop.incident/1.4".
func checkSchema(got *string) error {
	if got == nil {
		return fmt.Errorf("read incident: %w: it has no schema", ErrSchema)
	}
	major, _, _ := strings.Cut(*got, ".incident/")
	if rest, ok := strings.CutPrefix(*got, Schema); ok && (rest == "" || strings.HasPrefix(rest, ".")) {
		return nil
	}
	if major == "spiketop" {
		return fmt.Errorf("read incident: %w: it is %q, this version reads %q", ErrSchema, CleanMax(*got, 64), Schema)
	}
	return fmt.Errorf("read incident: %w: its schema is %q", ErrSchema, CleanMax(*got, 64))
}
