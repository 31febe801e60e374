package ui

import (
	"strings"

	"github.com/gdamore/tcell/v2"

	"spiketop/ui/render"
)

// theme turns what a cell means into how it looks.
type theme struct {
	fg  [render.Roles]tcell.Color
	bar tcell.Color // behind a row; ColorDefault: shown in reverse instead
}

// The colours are those of Okabe and Ito (2008), made lighter or darker for
// their background: they are told apart by people with any of the common colour
// blindnesses, and by their lightness in a recording without colour. No pair
// that matters is red and green. Orange and yellow are kept for what is wrong.
var dark = theme{
	fg: [render.Roles]tcell.Color{
		render.Plain:   tcell.ColorDefault,
		render.Faint:   tcell.NewHexColor(0x8a8a8a),
		render.Strong:  tcell.ColorDefault,
		render.Storage: tcell.NewHexColor(0xe0a0d8),
		render.VIF:     tcell.NewHexColor(0x56b4e9),
		render.Host:    tcell.NewHexColor(0x5fd7af),
		render.Control: tcell.NewHexColor(0xb0b0b0),
		render.Other:   tcell.ColorDefault,
		render.Calm:    tcell.NewHexColor(0x56b4e9),
		render.Marked:  tcell.NewHexColor(0xffd75f),
		render.Alarm:   tcell.NewHexColor(0xff8700),
		render.Load:    tcell.NewHexColor(0x5f87af),
	},
	bar: tcell.NewHexColor(0x263a56),
}

var light = theme{
	fg: [render.Roles]tcell.Color{
		render.Plain:   tcell.ColorDefault,
		render.Faint:   tcell.NewHexColor(0x6c6c6c),
		render.Strong:  tcell.ColorDefault,
		render.Storage: tcell.NewHexColor(0x8a2f7b),
		render.VIF:     tcell.NewHexColor(0x005f9e),
		render.Host:    tcell.NewHexColor(0x00664b),
		render.Control: tcell.NewHexColor(0x585858),
		render.Other:   tcell.ColorDefault,
		render.Calm:    tcell.NewHexColor(0x0072b2),
		render.Marked:  tcell.NewHexColor(0x8a6500),
		render.Alarm:   tcell.NewHexColor(0xc24a00),
		render.Load:    tcell.NewHexColor(0x4a6f94),
	},
	bar: tcell.NewHexColor(0xd3e3f5),
}

// plain has no colour: bold, reverse, letters, marks and heights say it all.
var plain = theme{bar: tcell.ColorDefault}

// chooseTheme picks by the setting; without one by COLORFGBG, which several
// terminals set to "foreground;background". A terminal with fewer than 256
// colours cannot show a bar between black and blue, so it gets reverse bars.
func chooseTheme(name, colorfgbg string, noColor bool, colors int) *theme {
	if noColor || colors == 0 {
		return &plain
	}
	t := dark
	if name == "light" || name == "" && lightBackground(colorfgbg) {
		t = light
	}
	if colors < 256 {
		t.bar = tcell.ColorDefault
	}
	return &t
}

func lightBackground(colorfgbg string) bool {
	bg := colorfgbg[strings.LastIndexByte(colorfgbg, ';')+1:]
	return bg == "7" || bg == "15"
}

// style is how a cell looks. Two themes differ in colours only, never in what
// is bold or reversed.
func (t *theme) style(s render.Style) tcell.Style {
	st := tcell.StyleDefault.Foreground(t.fg[s.Fg])
	if s.Bold {
		st = st.Bold(true)
	}
	reverse := s.Reverse
	if s.Bar {
		if t.bar == tcell.ColorDefault {
			reverse = !reverse
		} else {
			st = st.Background(t.bar)
		}
	}
	if reverse {
		st = st.Reverse(true)
	}
	if t == &plain && s.Fg == render.Faint {
		st = st.Dim(true)
	}
	return st
}
