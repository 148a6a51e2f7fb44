package report

import (
	"bytes"
	"fmt"
	"image/color"
	"image/png"
	"math"

	stdfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Pictures are small in points, so that their text is readable on a phone, and have many dots, so
// that it is sharp.
const (
	width  = 5.2 * vg.Inch
	height = 3.9 * vg.Inch
	dpi    = 180
)

// Colours that colour-blind people can distinguish (Okabe and Ito 2008). Blue is sound, training,
// right; vermilion is cracked, validation, wrong.
var (
	ink    = color.NRGBA{0x22, 0x2b, 0x33, 0xff}
	faint  = color.NRGBA{0xdd, 0xe2, 0xe6, 0xff}
	middle = color.NRGBA{0x8a, 0x94, 0x9c, 0xff}
	blue   = color.NRGBA{0x00, 0x72, 0xb2, 0xff}
	orange = color.NRGBA{0xd5, 0x5e, 0x00, 0xff}
)

// fade mixes a colour with white; share 1 is the pure colour.
func fade(c color.NRGBA, share float64) color.NRGBA {
	mix := func(v uint8) uint8 { return uint8(math.Round(255 + (float64(v)-255)*share)) }
	return color.NRGBA{mix(c.R), mix(c.G), mix(c.B), 0xff}
}

// letters returns a text style of the report.
func letters(size vg.Length, c color.Color) text.Style {
	return text.Style{Color: c, Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		XAlign: text.XCenter, YAlign: text.YCenter, Handler: plot.DefaultTextHandler}
}

func bold(s text.Style) text.Style {
	s.Font.Weight = stdfont.WeightBold
	return s
}

// newPlot returns an empty plot in the style of the report.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.Padding = 8
	set := func(s *text.Style, size vg.Length, c color.Color) {
		s.Font.Variant, s.Font.Size, s.Color = "Sans", size, c
	}
	set(&p.Title.TextStyle, 13, ink)
	set(&p.Legend.TextStyle, 11, ink)
	p.Legend.Padding, p.Legend.ThumbnailWidth = 2, 18
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		set(&a.Label.TextStyle, 11, ink)
		set(&a.Tick.Label, 10, ink)
		a.Padding, a.LineStyle.Color, a.LineStyle.Width = 0, middle, 0.75
		a.Tick.LineStyle.Color, a.Tick.Length = middle, 3
	}
	p.X.Label.Padding, p.Y.Label.Padding = 3, 3
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = faint, faint
	p.Add(grid)
	return p
}

// shareAxis sets an axis to 0 to 100 %.
func shareAxis(a *plot.Axis) {
	a.Min, a.Max = 0, 1
	var ticks []plot.Tick
	for i := 0; i <= 100; i += 20 {
		ticks = append(ticks, plot.Tick{Value: float64(i) / 100, Label: fmt.Sprint(i, " %")})
	}
	a.Tick.Marker = plot.ConstantTicks(ticks)
}

// countAxis puts ticks at whole numbers.
func countAxis(a *plot.Axis) {
	step := 1.0
	for i := 0; (a.Max-a.Min)/step > 6; i++ {
		step *= []float64{2, 2.5, 2}[i%3]
	}
	var ticks []plot.Tick
	for v := math.Ceil(a.Min/step) * step; v <= a.Max; v += step {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprint(v)})
	}
	a.Tick.Marker = plot.ConstantTicks(ticks)
}

// line draws points as a line. It leaves out NaN and infinite values, which a diverged training
// has.
func line(p *plot.Plot, name string, c color.Color, points plotter.XYs) *plotter.Line {
	var finite plotter.XYs
	for _, xy := range points {
		if !math.IsNaN(xy.Y) && !math.IsInf(xy.Y, 0) {
			finite = append(finite, xy)
		}
	}
	l := &plotter.Line{XYs: finite, LineStyle: draw.LineStyle{Color: c, Width: 1.5}}
	if len(finite) == 0 {
		return l
	}
	p.Add(l)
	if name != "" {
		p.Legend.Add(name, l)
	}
	return l
}

// dashed draws a thin reference line.
func dashed(p *plot.Plot, points plotter.XYs) {
	l := line(p, "", middle, points)
	l.Width, l.Dashes = 1, []vg.Length{4, 3}
}

// marks draws dots at points.
func marks(p *plot.Plot, name string, c color.Color, radius vg.Length, points plotter.XYs) {
	s := &plotter.Scatter{XYs: points, GlyphStyle: draw.GlyphStyle{Color: c, Radius: radius, Shape: draw.CircleGlyph{}}}
	p.Add(s)
	if name != "" {
		p.Legend.Add(name, s)
	}
}

// words writes text into the plot, centred at (x, y) in the plot's units and moved by (dx, dy).
func words(p *plot.Plot, s text.Style, x, y float64, dx, dy vg.Length, txt string) {
	p.Add(&plotter.Labels{
		XYs: plotter.XYs{{X: x, Y: y}}, Labels: []string{txt},
		TextStyle: []text.Style{s}, Offset: vg.Point{X: dx, Y: dy},
	})
}

// canvas returns an empty white picture.
func canvas(w, h vg.Length) (*vgimg.Canvas, draw.Canvas) {
	c := vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(dpi))
	return c, draw.New(c)
}

// encode returns the PNG file of a picture. A higher level hardly makes photographs smaller.
func encode(c *vgimg.Canvas, level png.CompressionLevel) ([]byte, error) {
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: level}
	if err := encoder.Encode(&b, c.Image()); err != nil {
		return nil, fmt.Errorf("encode picture: %w", err)
	}
	return b.Bytes(), nil
}

// margin is the white border of every plot, in points.
const margin = 8

// stacked draws plots one below the other with aligned axes.
func stacked(plots ...*plot.Plot) ([]byte, error) {
	c, dc := canvas(width, height*vg.Length(3+len(plots))/4)
	grid := make([][]*plot.Plot, len(plots))
	for i, p := range plots {
		grid[i] = []*plot.Plot{p}
	}
	tiles := draw.Tiles{
		Rows: len(plots), Cols: 1,
		PadTop: margin, PadBottom: margin, PadLeft: margin, PadRight: 2 * margin, PadY: 12,
	}
	for i, row := range plot.Align(grid, tiles, dc) {
		plots[i].Draw(row[0])
	}
	return encode(c, png.DefaultCompression)
}
