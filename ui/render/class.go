package render

import (
	"unicode"

	"spiketop/flow"
)

// classStyle returns the colour of a class; the letter says the same.
func classStyle(c flow.Class) Style {
	switch c {
	case flow.Storage:
		return Style{Fg: Storage}
	case flow.VIF:
		return Style{Fg: VIF}
	case flow.Host:
		return Style{Fg: Host}
	case flow.Control:
		return Style{Fg: Control}
	}
	return Style{Fg: Other}
}

// classOf returns the class that an incident names; one that is not defined here
// (the file came from elsewhere) has no number.
func classOf(name string) flow.Class {
	if c, ok := flow.ClassNamed(name); ok {
		return c
	}
	return flow.MaxClasses
}

// classLetter is the letter of a class given by name.
func classLetter(name string) rune {
	c := classOf(name)
	if c < flow.MaxClasses {
		return c.Letter()
	}
	for _, r := range name {
		if unicode.IsLetter(r) && r < 0x80 {
			return unicode.ToUpper(r)
		}
	}
	return c.Letter()
}
