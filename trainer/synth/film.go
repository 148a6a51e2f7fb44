package synth

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"os"

	"github.com/icza/mjpeg"
)

// film draws the frames of a clip into the file at path.
func film(ctx context.Context, path string, o ClipOptions, table timetable, progress func(done, total int)) error {
	video, err := mjpeg.New(path, int32(o.Width), int32(o.Height), int32(o.FPS))
	if err != nil {
		return err
	}
	open := true
	defer func() {
		if open {
			video.Close()
		}
	}()
	scene := newScene(o, table)
	var buf bytes.Buffer
	for f := range table.frames() {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		buf.Reset()
		if err := jpeg.Encode(&buf, scene.frame(f), &jpeg.Options{Quality: o.Quality}); err != nil {
			return err
		}
		if err := video.AddFrame(buf.Bytes()); err != nil {
			return err
		}
		if progress != nil {
			progress(f+1, table.frames())
		}
	}
	open = false
	if err := video.Close(); err != nil {
		return err
	}
	return unstamp(path)
}

// unstamp blanks the creation time that the library writes into the header's stream name, so that
// equal options give equal bytes.
func unstamp(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := f.ReadAt(head, 0)
	if n < len(head) && err != nil {
		head = head[:n]
	}
	const mark = "https://github.com/icza/mjpeg"
	if i := bytes.Index(head, []byte(mark)); i >= 0 {
		i += len(mark)
		if end := bytes.IndexByte(head[i:], 0); end > 0 {
			if _, err := f.WriteAt(bytes.Repeat([]byte(" "), end), int64(i)); err != nil {
				return err
			}
		}
	}
	return f.Sync()
}

// scene is the station: belt, lamp and camera are fixed, tires and belt surface move.
//
// Tires and belt are rendered once, to YCbCr before the sensor. A frame copies them to their
// positions and adds the lamp's flicker, the lens' vignette and the sensor's noise, all in
// integers.
type scene struct {
	o     ClipOptions
	table timetable
	shot  shot
	lamp  lamp
	belt  *belt
	tone  *curve

	// strip holds the visible belt: column x of frame f is at (x - speed*f) mod width.
	strip   *image.YCbCr
	sprites map[int]*sprite
	img     *image.YCbCr
	trouble []trouble
	before  *image.YCbCr // previous finished frame, for a rough clip
	gain    []int32      // vignette, 1<<gainBits = 1, (height, width)
	noise   []int8       // sensor noise, noiseSize samples plus the width of a frame
}

const (
	gainBits  = 12
	noiseSize = 1 << 18
)

// sprite is a rendered tire in its square.
type sprite struct {
	side      int
	y         []uint8 // (side, side)
	cover     []uint8 // 255 on the tire
	beltLight []uint8 // light that reaches the belt, 255 is all
	cb, cr    []uint8 // (side, side)
	halfSide  int
}

func newScene(o ClipOptions, table timetable) *scene {
	s := newStream(o.Seed, 1, forClip)
	sc := &scene{
		o: o, table: table, shot: newShot(s), lamp: newLamp(s), belt: newBelt(newStream(o.Seed, 0, forBelt)),
		sprites: map[int]*sprite{},
		strip:   image.NewYCbCr(image.Rect(0, 0, o.Width, o.Height), image.YCbCrSubsampleRatio420),
		img:     image.NewYCbCr(image.Rect(0, 0, o.Width, o.Height), image.YCbCrSubsampleRatio420),
	}
	if o.Rough {
		sc.trouble = o.troubles(table.frames())
		sc.before = image.NewYCbCr(sc.img.Rect, sc.img.SubsampleRatio)
	}
	// The lamp and exposure of a station were adjusted by a person.
	sc.shot.level, sc.shot.contrast = s.between(48, 70), s.between(0.95, 1.1)
	sc.shot.blur, sc.shot.soft, sc.shot.noise = s.between(0.2, 0.5), 0, s.between(1, 2.2)
	sc.shot.warm = s.around(0, 0.012)
	sc.lamp.slopeX, sc.lamp.slopeY = 0, 0
	sc.belt.level = s.between(2, 2.6)
	sc.tone = toneCurve(sc.shot)
	sc.gain = make([]int32, o.Width*o.Height)
	tilt := s.around(0, 0.06)
	for y := range o.Height {
		dy := 2*float32(y)/float32(o.Height) - 1
		for x := range o.Width {
			dx := 2*float32(x)/float32(o.Width) - 1
			d := dx*dx*0.8 + dy*dy*0.4
			sc.gain[y*o.Width+x] = int32((1 << gainBits) * (1 - sc.shot.vignette*0.4*d + tilt*dx))
		}
	}
	sc.noise = make([]int8, noiseSize+o.Width)
	white := tiles().white
	for i := range sc.noise {
		sc.noise[i] = int8(clamp(white[i%len(white)]*sc.shot.noise*8, -127, 127))
	}
	return sc
}
