package ui

import (
	"math"
	"testing"

	"github.com/gdamore/tcell/v2"

	"spiketop/ui/render"
)

func TestChooseTheme(t *testing.T) {
	for _, tt := range []struct {
		name, theme, colorfgbg string
		noColor                bool
		colors                 int
		plain, light, bars     bool
	}{
		{"dark by default", "", "", false, 256, false, false, true},
		{"light by the terminal", "", "0;15", false, 1 << 24, false, true, true},
		{"white on black", "", "15;0", false, 256, false, false, true},
		{"the setting stands above the terminal", "dark", "0;15", false, 256, false, false, true},
		{"light by the setting", "light", "", false, 256, false, true, true},
		{"NO_COLOR", "light", "", true, 256, true, false, false},
		{"no colours", "", "", false, 0, true, false, false},
		{"few colours: bars in reverse", "", "", false, 8, false, false, false},
	} {
		got := chooseTheme(tt.theme, tt.colorfgbg, tt.noColor, tt.colors)
		if (got == &plain) != tt.plain || (got.fg == light.fg) != tt.light || (got.bar != tcell.ColorDefault) != tt.bars {
			t.Errorf("%s: plain %v light %v bars %v", tt.name, got == &plain, got.fg == light.fg, got.bar != tcell.ColorDefault)
		}
	}
}

// luminance is the relative luminance of WCAG 2.1.
func luminance(c tcell.Color) float64 {
	r, g, b := c.RGB()
	lin := func(v int32) float64 {
		x := float64(v) / 255
		if x <= 0.03928 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*lin(r) + 0.7152*lin(g) + 0.0722*lin(b)
}

func contrast(a, b tcell.Color) float64 {
	x, y := luminance(a), luminance(b)
	if x < y {
		x, y = y, x
	}
	return (x + 0.05) / (y + 0.05)
}

// Every colour stands out from its terminal's background and from the bar behind
// a row: 4.5:1 and 3:1, the WCAG 2.1 ratios for text and for large marks.
func TestContrast(t *testing.T) {
	for _, tt := range []struct {
		name string
		th   theme
		back tcell.Color
	}{{"dark", dark, tcell.NewHexColor(0x101010)}, {"light", light, tcell.NewHexColor(0xffffff)}} {
		for role, c := range tt.th.fg {
			if c == tcell.ColorDefault {
				continue
			}
			if got := contrast(c, tt.back); got < 4.5 {
				t.Errorf("%s role %d: %.1f on the background", tt.name, role, got)
			}
			if got := contrast(c, tt.th.bar); got < 3 {
				t.Errorf("%s role %d: %.1f on the bar", tt.name, role, got)
			}
		}
		if got := contrast(tt.th.bar, tt.back); got < 1.2 {
			t.Errorf("%s: the bar stands out by %.2f only", tt.name, got)
		}
	}
}

// Without colour a bar and a banner are still to be seen.
func TestPlainThemeShowsBars(t *testing.T) {
	for _, s := range []render.Style{{Bar: true}, {Reverse: true}} {
		if _, _, attr := plain.style(s).Decompose(); attr&tcell.AttrReverse == 0 {
			t.Errorf("%+v is not reversed", s)
		}
	}
	for role := range render.Roles {
		if fg, bg, _ := plain.style(render.Style{Fg: role}).Decompose(); fg != tcell.ColorDefault || bg != tcell.ColorDefault {
			t.Errorf("role %d has a colour", role)
		}
	}
}
