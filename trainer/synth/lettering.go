package synth

import (
	"image"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gomedium"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// Texts on side walls. The brands are invented.
var (
	brandWords = []string{"NORDVALE", "KESTRON", "TORVIK", "ROADMERE", "ALTAVEX", "BRENNOR", "SOLVANTE", "OSTRAVIA GT"}
	modelWords = []string{"TERRA-GRIP 2", "AQUALINE", "EcoRun 5", "CARGO MAX", "WINTERA S3", "Sport Line", "HT 740", "XR 80"}
	sizeWords  = []string{"205/55 R16", "195/65 R15", "225/45 R17", "175/70 R13", "185/60 R14", "215/60 R16C", "7.50-16", "155/80 R12"}
	loadWords  = []string{"91V", "88T", "94W XL", "112/110 R", "75S"}
	smallWords = []string{
		"TUBELESS", "M+S", "RADIAL", "MAX LOAD 615 KG (1356 LBS)", "MAX PRESS 350 kPa (51 PSI)", "STEEL BELTED",
		"TREAD 4 PLIES SIDEWALL 2 PLIES", "TREADWEAR 380 TRACTION A", "OUTSIDE", "ROTATION", "E4 0268134-S2WR2",
		"DOT 7HKR 1Y9 3416", "TEMPERATURE A", "SAFETY WARNING", "SERIOUS INJURY MAY RESULT FROM",
		"TIGHTENING TORQUE", "REINFORCED", "0314", "TWI", "1L6 032AJY", "PLY RATING 8",
	}
)

// glyphRows is the height of the largest masks, px; capitals use glyphCap rows from glyphTop on.
const (
	glyphRows = 72
	glyphTop  = 12
	glyphCap  = 48
)

// mask is a rendered word, blurred so that its values change across the flank of the letters: 0.5
// is their outline.
type mask struct {
	w, h int
	px   []uint8 // (h, w)
}

// word is one text in three sizes, each half of the one before, so that a small text needs few
// samples per pixel.
type word [3]mask

var words = sync.OnceValue(func() map[string]*word {
	bold, medium := mustFace(gobold.TTF), mustFace(gomedium.TTF)
	out := map[string]*word{}
	add := func(face font.Face, lists ...[]string) {
		for _, list := range lists {
			for _, s := range list {
				out[s] = newWord(face, s)
			}
		}
	}
	add(bold, brandWords, modelWords)
	add(medium, sizeWords, loadWords, smallWords)
	return out
})

// mustFace cannot fail for the built-in fonts.
func mustFace(ttf []byte) font.Face {
	f, err := opentype.Parse(ttf)
	if err == nil {
		var face font.Face
		// Capitals of the Go fonts are 0.72 of the size.
		face, err = opentype.NewFace(f, &opentype.FaceOptions{Size: glyphCap / 0.72, DPI: 72, Hinting: font.HintingNone})
		if err == nil {
			return face
		}
	}
	panic("internal error: built-in font: " + err.Error())
}

func newWord(face font.Face, s string) *word {
	// Moulds have more space between letters than print.
	const spacing = 5
	width := 2 * glyphTop
	for _, r := range s {
		adv, _ := face.GlyphAdvance(r)
		width += adv.Round() + spacing
	}
	width = (width + 3) &^ 3
	img := image.NewAlpha(image.Rect(0, 0, width, glyphRows))
	d := font.Drawer{Dst: img, Src: image.Opaque, Face: face, Dot: fixed.P(glyphTop, glyphTop+glyphCap)}
	for _, r := range s {
		d.DrawString(string(r))
		d.Dot.X += fixed.I(spacing)
	}
	full := mask{w: width, h: glyphRows, px: img.Pix}
	var out word
	for i := range out {
		out[i] = full.blur()
		full = full.half()
	}
	return &out
}

// blur averages 5 x 5 pixels with binomial weights.
func (m mask) blur() mask {
	weights := [5]int{1, 4, 6, 4, 1}
	mid := make([]int, len(m.px))
	out := mask{w: m.w, h: m.h, px: make([]uint8, len(m.px))}
	for y := range m.h {
		for x := range m.w {
			for i, w := range weights {
				mid[y*m.w+x] += w * int(m.px[y*m.w+min(max(x+i-2, 0), m.w-1)])
			}
		}
	}
	for y := range m.h {
		for x := range m.w {
			sum := 0
			for i, w := range weights {
				sum += w * mid[min(max(y+i-2, 0), m.h-1)*m.w+x]
			}
			out.px[y*m.w+x] = uint8((sum + 128) / 256)
		}
	}
	return out
}

func (m mask) half() mask {
	out := mask{w: m.w / 2, h: m.h / 2, px: make([]uint8, m.w/2*(m.h/2))}
	for y := range out.h {
		for x := range out.w {
			a, b := m.px[2*y*m.w+2*x:], m.px[(2*y+1)*m.w+2*x:]
			out.px[y*out.w+x] = uint8((int(a[0]) + int(a[1]) + int(b[0]) + int(b[1]) + 2) / 4)
		}
	}
	return out
}

// at interpolates the mask; outside it returns 0.
func (m *mask) at(x, y float32) float32 {
	x, y = x-0.5, y-0.5
	if x < 0 || y < 0 || x >= float32(m.w-1) || y >= float32(m.h-1) {
		return 0
	}
	x0, y0 := int(x), int(y)
	fx, fy := x-float32(x0), y-float32(y0)
	p := m.px[y0*m.w+x0:]
	q := m.px[(y0+1)*m.w+x0:]
	a := float32(p[0]) + (float32(p[1])-float32(p[0]))*fx
	b := float32(q[0]) + (float32(q[1])-float32(q[0]))*fx
	return (a + (b-a)*fy) * (1.0 / 255)
}

// letterStyle is the shape of moulded letters.
type letterStyle uint8

const (
	raised    letterStyle = iota // plateaus
	outlined                     // ridges along the outline
	sunken                       // the reverse of raised
	letterEnd                    // number of styles
)

// inscription is a word on a tire.
type inscription struct {
	text   string
	u, v   float32 // centre
	height float32 // of capitals, units
	relief float32 // units
	style  letterStyle
	inward bool // readable from the axis
}

// span returns the arc length of the inscription at the geometry's reference radius.
func (c *canvas) span(t *inscription) float32 {
	m := &words()[t.text][0]
	return float32(m.w) * t.height / glyphCap * c.geo.ref / (c.geo.ref + t.v)
}

// inscribe adds the letters to the height map. plain is the profile without ornament: letters on a
// hatched band are not hatched themselves.
func (c *canvas) inscribe(t *inscription, plain *profile) {
	levels := words()[t.text]
	level, rows := 0, t.height*c.k
	for level < len(levels)-1 && rows < glyphCap*0.6/float32(int(1)<<level) {
		level++
	}
	m := &levels[level]
	shrink := float32(int(1) << level)
	scale := glyphCap / t.height / shrink // mask px per unit
	half := c.span(t) / 2
	arc := (c.geo.ref + t.v) / c.geo.ref
	round := turn * c.geo.ref
	pad := t.height * 0.5
	midRow := (glyphTop + glyphCap/2) / shrink
	b := c.boxOf(t.u-half, t.u+half, t.v-pad-t.height/2, t.v+pad+t.height/2)
	for y := b.y0; y < b.y1; y++ {
		for i := y*c.n + b.x0; i < y*c.n+b.x1; i++ {
			du, dv := c.u[i]-t.u, c.v[i]-t.v
			if du > round/2 {
				du -= round
			} else if du < -round/2 {
				du += round
			}
			if t.inward {
				du, dv = -du, -dv
			}
			a := m.at(du*arc*scale+float32(m.w)/2, midRow-dv*scale)
			if a == 0 {
				continue
			}
			switch t.style {
			case raised:
				f := smooth(0.15, 0.85, a)
				c.h[i] += f * (plain.at(c.v[i]) + t.relief - c.h[i])
				c.light[i] *= 1 + 0.08*f
			case outlined:
				c.h[i] += smooth(0, 1, 4*a*(1-a)) * t.relief
			case sunken:
				f := smooth(0.15, 0.85, a)
				c.h[i] += f * (plain.at(c.v[i]) - t.relief - c.h[i])
				c.occ[i] += 0.15 * f
			}
		}
	}
}
