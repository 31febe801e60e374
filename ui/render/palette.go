package render

// Palette is a set of colours, 0xRRGGBB; Default means the terminal's own.
type Palette struct {
	Fg  [Roles]int32
	Bar int32 // behind a row
}

// Default is no colour: what the terminal, or the picture, writes with.
const Default = int32(-1)

// The colours are those of Okabe and Ito (2008), made lighter or darker for
// their background: they are told apart by people with any of the common colour
// blindnesses, and by their lightness in a recording without colour. No pair
// that matters is red and green. Orange and yellow are kept for what is wrong.
var (
	// Dark is for a dark background.
	Dark = Palette{
		Fg: [Roles]int32{
			Plain: Default, Strong: Default, Other: Default,
			Faint:   0x8a8a8a,
			Storage: 0xe0a0d8,
			VIF:     0x56b4e9,
			Host:    0x5fd7af,
			Control: 0xb0b0b0,
			Calm:    0x56b4e9,
			Marked:  0xffd75f,
			Alarm:   0xff8700,
			Load:    0x5f87af,
		},
		Bar: 0x263a56,
	}
	// Light is for a light background.
	Light = Palette{
		Fg: [Roles]int32{
			Plain: Default, Strong: Default, Other: Default,
			Faint:   0x6c6c6c,
			Storage: 0x8a2f7b,
			VIF:     0x005f9e,
			Host:    0x00664b,
			Control: 0x585858,
			Calm:    0x0072b2,
			Marked:  0x8a6500,
			Alarm:   0xc24a00,
			Load:    0x4a6f94,
		},
		Bar: 0xd3e3f5,
	}
)
