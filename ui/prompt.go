package ui

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"time"

	"github.com/gdamore/tcell/v2"

	"spiketop/flow"
	"spiketop/ui/render"
)

// question is what the prompt asks for.
type question uint8

const (
	noQuestion question = iota
	forFilter
	forRegex
)

func (m *model) askFilter() { m.ask(forFilter, "filter:", m.v.Filter) }
func (m *model) askRegex()  { m.ask(forRegex, "regex:", m.v.Regex) }

func (m *model) ask(q question, label, text string) {
	m.asking, m.v.Prompt = q, &render.Prompt{Label: label, Text: text, Col: -1}
}

// typed takes the text of the prompt after every change.
func (m *model) typed(text string) {
	if p := m.v.Prompt; p != nil && p.Text != text {
		m.v.Prompt = &render.Prompt{Label: p.Label, Text: text, Col: -1}
	}
}

// answered ends the prompt: Enter accepts, everything else leaves things as they
// were. A text that is refused stays in the line, with the reason.
func (m *model) answered(key tcell.Key, now time.Time) {
	m.now, m.touched = now, true
	p := m.v.Prompt
	if p == nil {
		return
	}
	switch {
	case key == tcell.KeyTab || key == tcell.KeyBacktab:
		return // nothing to complete
	case key != tcell.KeyEnter:
		m.asking, m.v.Prompt = noQuestion, nil
	default:
		var err error
		if m.asking == forFilter {
			err = m.setFilter(p.Text)
		} else {
			err = m.setRegex(p.Text)
		}
		if err == nil {
			m.asking, m.v.Prompt = noQuestion, nil
			break
		}
		refused := *p
		refused.Error, refused.Col = err.Error(), columnOf(err)
		m.v.Prompt = &refused
	}
	m.refresh()
}

// columnOf returns the rune of the text at which a filter was refused, counted
// from 0, or -1.
func columnOf(err error) int {
	var at *flow.FilterError
	if errors.As(err, &at) {
		return at.Column - 1
	}
	return -1
}

// setFilter takes a filter of the language of flow.ParseFilter; "" takes it away.
func (m *model) setFilter(text string) error {
	if text == "" {
		m.v.Filter, m.v.Match = "", nil
		return nil
	}
	f, err := flow.ParseFilter(text)
	if err != nil {
		return err
	}
	m.v.Filter, m.v.Match, m.v.Scroll, m.v.Order = text, f, 0, nil
	return nil
}

// setRegex takes iftop's screen filter: a POSIX extended regular expression,
// any case, on the text of either end.
func (m *model) setRegex(text string) error {
	if text == "" {
		m.v.Regex, m.v.MatchText = "", nil
		return nil
	}
	// POSIX syntax has no flag for "any case", so it is parsed by hand and
	// printed in Go's syntax.
	parsed, err := syntax.Parse(text, syntax.POSIX|syntax.FoldCase)
	if err != nil {
		var bad *syntax.Error
		if errors.As(err, &bad) {
			return fmt.Errorf("%s: %q", bad.Code, bad.Expr)
		}
		return err
	}
	re, err := regexp.Compile(parsed.String())
	if err != nil {
		return err
	}
	m.v.Regex, m.v.MatchText, m.v.Scroll, m.v.Order = text, re.MatchString, 0, nil
	return nil
}
