package ui

import (
	"time"

	"github.com/gdamore/tcell/v2"
	"github.com/rivo/tview"

	"spiketop/ui/render"
)

// view is the one primitive on the screen: it copies the cells that package
// render draws, and owns the input line.
type view struct {
	*tview.Box
	m      *model
	canvas *render.Canvas
	input  *tview.InputField
	asked  question // for which input was opened
	styles map[render.Style]tcell.Style
	theme  *theme
}

func newView(m *model, t *theme) *view {
	v := &view{Box: tview.NewBox(), m: m, canvas: render.NewCanvas(0, 0), theme: t, styles: map[render.Style]tcell.Style{}}
	v.input = tview.NewInputField().SetFieldStyle(tcell.StyleDefault.Underline(true)).SetChangedFunc(m.typed)
	v.input.SetBackgroundColor(tcell.ColorDefault)
	v.input.SetDoneFunc(func(key tcell.Key) { m.answered(key, time.Now()) })
	v.input.Focus(func(tview.Primitive) {})
	return v
}

// Draw copies the canvas. It is called with the application's lock held.
func (v *view) Draw(s tcell.Screen) {
	x0, y0, w, h := v.GetRect()
	v.canvas.Resize(w, h)
	v.m.layout, v.m.width = render.Draw(v.canvas, &v.m.v), w
	for y := range v.canvas.H {
		for x := range v.canvas.W {
			c := v.canvas.At(x, y)
			if c.Width == 0 {
				continue
			}
			var comb []rune
			if c.Comb != "" {
				comb = []rune(c.Comb)
			}
			s.SetContent(x0+x, y0+y, c.Rune, comb, v.style(c.Style))
		}
	}
	if p := v.m.v.Prompt; p != nil && v.m.layout.PromptW > 0 {
		v.input.SetRect(x0+v.m.layout.PromptX, y0+v.m.layout.PromptY, v.m.layout.PromptW, 1)
		v.input.Draw(s)
		return
	}
	s.HideCursor()
}

func (v *view) style(s render.Style) tcell.Style {
	st, ok := v.styles[s]
	if !ok {
		st = v.theme.style(s)
		v.styles[s] = st
	}
	return st
}

// key handles every key, in the goroutine of the loop.
func (v *view) key(e *tcell.EventKey) {
	if v.m.v.Prompt == nil || e.Key() == tcell.KeyCtrlC || e.Key() == tcell.KeyCtrlL {
		v.m.key(e.Key(), e.Rune(), time.Now())
	} else {
		v.input.InputHandler()(e, func(tview.Primitive) {})
	}
	if v.asked != v.m.asking {
		if v.asked = v.m.asking; v.asked != noQuestion {
			v.input.SetText(v.m.v.Prompt.Text)
		}
	}
}

// PasteHandler takes pasted text into the input line, and nowhere else: pasted
// letters must not act as keys.
func (v *view) PasteHandler() func(string, func(tview.Primitive)) {
	return v.WrapPasteHandler(func(text string, set func(tview.Primitive)) {
		if v.m.v.Prompt != nil {
			v.input.PasteHandler()(text, set)
		}
	})
}

// MouseHandler is called only while the mouse is switched on.
func (v *view) MouseHandler() func(tview.MouseAction, *tcell.EventMouse, func(tview.Primitive)) (bool, tview.Primitive) {
	return v.WrapMouseHandler(func(action tview.MouseAction, e *tcell.EventMouse, _ func(tview.Primitive)) (bool, tview.Primitive) {
		switch action {
		case tview.MouseLeftClick:
			v.m.click(e.Position())
		case tview.MouseScrollDown:
			v.m.scroll(3)
		case tview.MouseScrollUp:
			v.m.scroll(-3)
		default:
			return false, nil
		}
		v.m.touched = true
		return true, nil
	})
}
