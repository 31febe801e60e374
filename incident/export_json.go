package incident

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"time"
)

// WriteJSON writes in as incident.json: indented, the same bytes for the same
// incident, unknown values null, empty lists [] and never null. Foreign text is
// written in full; whatever in it is not printable is escaped (\u009b), so the
// file may be read in a terminal. An incident that holds a number JSON does not
// know (NaN, infinity) is written nevertheless: evidence is not given up for one
// wrong ratio. Such a value becomes null, or 0 where the field cannot be null.
//
// It does not change in and may be called from any goroutine.
func WriteJSON(w io.Writer, in *Incident) error {
	c := writable(reflect.ValueOf(in).Elem()).Interface().(Incident)
	c.Schema = Schema
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(&c); err != nil {
		return fmt.Errorf("write incident %s: %w", Clean(in.ID), err)
	}
	if _, err := w.Write(EscapeJSON(joinNumbers(buf.Bytes()))); err != nil {
		return fmt.Errorf("write incident %s: %w", Clean(in.ID), err)
	}
	return nil
}

// MarshalJSON writes null for the ends of a baseline that does not exist.
func (b BaseWindow) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		From    *time.Time `json:"from"`
		To      *time.Time `json:"to"`
		Seconds float64    `json:"seconds"`
	}{knownTime(b.From), knownTime(b.To), b.Seconds})
}

// MarshalJSON writes null for the start of a series that does not exist.
func (s Series) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		From   *time.Time   `json:"from"`
		StepMs int          `json:"step_ms"`
		Links  []SeriesLink `json:"links"`
	}{knownTime(s.From), s.StepMs, s.Links})
}

func knownTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

var timeType = reflect.TypeFor[time.Time]()

// writable returns a copy of v that encoding/json can write as the contract
// asks: nil slices empty, numbers finite.
func writable(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || notFinite(v.Elem()) {
			return reflect.Zero(v.Type())
		}
		p := reflect.New(v.Type().Elem())
		p.Elem().Set(writable(v.Elem()))
		return p
	case reflect.Struct:
		if v.Type() == timeType {
			return v
		}
		c := reflect.New(v.Type()).Elem()
		for i := range v.NumField() {
			c.Field(i).Set(writable(v.Field(i)))
		}
		return c
	case reflect.Slice:
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		return writableElements(c, v)
	case reflect.Array:
		return writableElements(reflect.New(v.Type()).Elem(), v)
	}
	if notFinite(v) {
		return reflect.Zero(v.Type())
	}
	return v
}

func writableElements(dst, src reflect.Value) reflect.Value {
	for i := range src.Len() {
		dst.Index(i).Set(writable(src.Index(i)))
	}
	return dst
}

func notFinite(v reflect.Value) bool {
	return v.CanFloat() && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0))
}
