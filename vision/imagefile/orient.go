package imagefile

import "tirewatch/vision/frame"

// orient turns the image as o says. The result has its own pixels, or is f itself if there is
// nothing to do.
//
// Every orientation is a walk through the source. It begins at one corner; dx leads to the next
// column of the result and dy to its next row.
func orient(f *frame.Frame, o orientation) *frame.Frame {
	ch := f.Format.Channels()
	right, down := ch, f.Stride // one step in the source, bytes
	lastX, lastY := (f.Width-1)*right, (f.Height-1)*down
	var start, dx, dy int
	switch o {
	case 2:
		start, dx, dy = lastX, -right, down
	case 3:
		start, dx, dy = lastX+lastY, -right, -down
	case 4:
		start, dx, dy = lastY, right, -down
	case 5:
		start, dx, dy = 0, down, right
	case 6:
		start, dx, dy = lastY, -down, right
	case 7:
		start, dx, dy = lastX+lastY, -down, -right
	case 8:
		start, dx, dy = lastX, down, -right
	default:
		return f
	}
	g := *f
	if o >= 5 {
		g.Width, g.Height = f.Height, f.Width
	}
	g.Stride = g.Width * ch
	g.Pix = make([]byte, g.Stride*g.Height)
	for y := range g.Height {
		src := start + y*dy
		row := g.Pix[y*g.Stride:][:g.Stride]
		for i := 0; i < len(row); i += ch {
			copy(row[i:i+ch], f.Pix[src:src+ch])
			src += dx
		}
	}
	return &g
}
