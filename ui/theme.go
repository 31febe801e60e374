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

var dark, light = themeOf(render.Dark), themeOf(render.Light)

func themeOf(p render.Palette) theme {
	t := theme{bar: tcell.NewHexColor(p.Bar)}
	for role, c := range p.Fg {
		if c != render.Default {
			t.fg[role] = tcell.NewHexColor(c)
		}
	}
	return t
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
