// Package ui is the terminal: it shows Frames and turns keys into what the
// person wants to see.
//
// [Run] owns the terminal from its call to its return. One goroutine, the pump,
// takes the newest Frame and queues one update at a time; the loop of tview owns
// the model and everything drawn. The [model] is pure: keys and frames go in with
// the time, a render.View comes out, and what must happen outside (freeze, copy,
// quit) is called through small functions. Package render draws the View.
//
// tview and tcell are imported only here.
package ui
