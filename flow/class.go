package flow

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"unicode"
)

// Class says whose traffic a flow is. The built-in classes have fixed numbers,
// a user's own follow, see [DefineClass].
type Class uint8

const (
	Unknown Class = iota
	Storage
	VIF
	Host
	Control
	FirstUserClass
)

// MaxClasses is how many classes there can be, the built-in ones included.
const MaxClasses = 64

// classInfo is what a class is called.
type classInfo struct {
	name   string
	letter rune
}

// classes holds every class defined so far by number: names are interned, so
// that a Class can be written by whoever holds one. The list is replaced, never
// changed; a number keeps its name for the life of the program.
var (
	classes  atomic.Pointer[[]classInfo]
	classesM sync.Mutex // of who replaces classes
)

func init() {
	classes.Store(&[]classInfo{{"unknown", '?'}, {"storage", 'S'}, {"vif", 'V'}, {"host", 'H'}, {"control", 'C'}})
}

// DefineClass returns the class called name, which is new or has been defined
// before; it then keeps its number and takes the letter. The name has 1 to 16
// of the characters a-z, 0-9 and "-" and begins with a letter; the letter is one
// of A-Z that no built-in class has; those of the user are not compared with one
// another, as a class may be gone since. A built-in class keeps its letter: give
// 0 for it.
// Any goroutine may call it.
func DefineClass(name string, letter rune) (Class, error) {
	classesM.Lock()
	defer classesM.Unlock()
	old := *classes.Load()
	c, err := checkClass(old, name, letter)
	if err != nil {
		return 0, err
	}
	if c < FirstUserClass || int(c) < len(old) && old[c].letter == letter {
		return c, nil
	}
	next := append([]classInfo(nil), old...)
	if int(c) == len(next) {
		next = append(next, classInfo{})
	}
	next[c] = classInfo{name, letter}
	classes.Store(&next)
	return c, nil
}

// CheckClass says what DefineClass would refuse, and defines nothing.
func CheckClass(name string, letter rune) error {
	_, err := checkClass(*classes.Load(), name, letter)
	return err
}

// checkClass returns the number that the class has or would have.
func checkClass(list []classInfo, name string, letter rune) (Class, error) {
	if !isClassName(name) {
		return 0, fmt.Errorf("class %s: a name has 1 to 16 of a-z, 0-9 and -, and begins with a letter", quoteShort(name))
	}
	c := Class(len(list))
	for i := range list {
		if list[i].name == name {
			c = Class(i)
		}
	}
	switch {
	case c < FirstUserClass && letter != 0 && letter != list[c].letter:
		return 0, fmt.Errorf("class %s: its letter is %c", name, list[c].letter)
	case c < FirstUserClass:
		return c, nil
	case letter < 'A' || letter > 'Z':
		return 0, fmt.Errorf("class %s: its letter is to be one of A-Z", name)
	case int(c) >= MaxClasses:
		return 0, fmt.Errorf("class %s: more than %d classes", name, MaxClasses-int(FirstUserClass))
	}
	for i := range list {
		if list[i].letter == letter && Class(i) < FirstUserClass {
			return 0, fmt.Errorf("class %s: the letter %c belongs to class %s", name, letter, list[i].name)
		}
	}
	return c, nil
}

func isClassName(s string) bool {
	return s != "" && len(s) <= 16 && s[0] >= 'a' && s[0] <= 'z' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// ClassNamed returns the class with this name, if one is defined.
func ClassNamed(name string) (Class, bool) {
	for i, c := range *classes.Load() {
		if c.name == name {
			return Class(i), true
		}
	}
	return 0, false
}

// ClassNames lists the classes defined so far, by number.
func ClassNames() []string {
	list := *classes.Load()
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].name
	}
	return names
}

// String returns the word of the JSON files.
func (c Class) String() string {
	if list := *classes.Load(); int(c) < len(list) {
		return list[c].name
	}
	return fmt.Sprintf("class%d", uint8(c))
}

// Letter returns the letter shown in front of a row: S V H C ?, or the user's.
func (c Class) Letter() rune {
	if list := *classes.Load(); int(c) < len(list) {
		return list[c].letter
	}
	return 'U'
}

// plainText makes foreign text (names of guests and processes) fit for a
// reason: one line of printable characters, of bounded length.
func plainText(s string) string {
	const most = 64
	out := make([]rune, 0, min(len(s), most))
	for _, r := range s {
		if len(out) == most {
			return string(out) + "…"
		}
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			r = '?'
		}
		out = append(out, r)
	}
	return string(out)
}
