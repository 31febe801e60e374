package ui

import "github.com/gdamore/tcell/v2"

// plainRunes stand for what a terminal without Unicode (LC_ALL=C) cannot show.
// Without them it prints "?", which on this screen means: not known. Heights are
// told apart in three steps.
var plainRunes = map[rune]string{
	'▼': "v", '▲': "^", '●': "*", '…': "~", '→': ">", '←': "<", '↓': "v", '↑': "^", '═': "=", '·': ".", '┤': "|",
	'▁': "_", '▂': "_", '▃': "_", '▄': "=", '▅': "=", '▆': "=", '▇': "#", '█': "#", 'µ': "u",
}

// standIns tells an initialised screen what to print for them; one that has
// Unicode never asks.
func standIns(s tcell.Screen) {
	for r, text := range plainRunes {
		s.RegisterRuneFallback(r, text)
	}
}
