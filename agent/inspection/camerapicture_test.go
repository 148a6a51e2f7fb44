package inspection

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tirewatch/agent/journal"
	"tirewatch/agent/review"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
	"tirewatch/vision/verdict"
)

// colourReel shows the film in colour: green is the grey value, blue is darker and red is lighter.
type colourReel struct{ reel }

func (r colourReel) Next(ctx context.Context) (*frame.Frame, error) {
	f, err := r.reel.Next(ctx)
	if err != nil {
		return nil, err
	}
	return coloured(f), nil
}

func coloured(f *frame.Frame) *frame.Frame {
	c := *f
	c.Format, c.Stride, c.Pix = frame.BGR, 3*f.Width, make([]byte, 3*len(f.Pix))
	for i, v := range f.Pix {
		c.Pix[3*i], c.Pix[3*i+1], c.Pix[3*i+2] = v/2, v, byte(min(255, int(v)+40))
	}
	return &c
}

// noteOf reads the note of a crop as the review does.
func noteOf(t *testing.T, seq uint64, png []byte) review.Picture {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, review.FileName(seq)), png, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := review.Open(dir, "a/b/c", "").Picture(seq)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A kept crop has the picture of the camera beside it, once for a tire: the region of the frame
// that decided, in colour if the camera has colour. Preprocessing that picture gives almost the
// network's input.
func TestCameraPictures(t *testing.T) {
	for _, colour := range []bool{false, true} {
		t.Run(fmt.Sprintf("colour %v", colour), func(t *testing.T) {
			b := newBench(t, passing(80, steady(12), 0, -150), 1)
			if colour {
				b.o.Source = colourReel{reel{b}}
			}
			b.o.Keep = &review.Policy{Every: true, Camera: true}
			if err := b.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(b.verdicts) != 2 || len(b.cameras) != 2 {
				t.Fatalf("%d verdicts, %d pictures of the camera", len(b.verdicts), len(b.cameras))
			}
			c := b.verdicts[0].Votes[1].Crop // the middle one of three
			note := noteOf(t, 1, b.pictures[0])
			if note.Region != c || note.Colour != colour || len(note.Input) != 64 {
				t.Errorf("note %+v; the crop is %v", note, c)
			}
			img, err := jpeg.Decode(bytes.NewReader(b.cameras[1]))
			if err != nil {
				t.Fatal(err)
			}
			if _, grey := img.(*image.Gray); grey == colour || img.Bounds().Size() != image.Pt(c[2]-c[0], c[3]-c[1]) {
				t.Fatalf("%T of %v; the crop is %v", img, img.Bounds(), c)
			}
			spec := bundletest.Small(1).Spec
			got, want := make([]byte, spec.Size()), make([]byte, spec.Size())
			f := picture(int(b.verdicts[0].Votes[1].Frame) - 1)
			if colour {
				f = coloured(f)
			}
			if err := spec.Apply(want, f, image.Rect(c[0], c[1], c[2], c[3])); err != nil {
				t.Fatal(err)
			}
			of := frame.FromImage(img)
			if err := spec.Apply(got, of, of.Bounds()); err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if d := int(got[i]) - int(want[i]); d < -4 || d > 4 {
					t.Fatalf("pixel %d is %d; the network saw %d", i, got[i], want[i])
				}
			}
		})
	}
}

// Without the setting nothing is copied, and the note says so.
func TestNoCameraPictures(t *testing.T) {
	b := newBench(t, passing(80, steady(12), 0), 1)
	b.o.Keep = &review.Policy{Every: true}
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.pictures) != 1 || b.cameras != nil || b.freeRegions != nil || noteOf(t, 1, b.pictures[0]).Region != [4]int{} {
		t.Errorf("%d crops, %d pictures of the camera", len(b.pictures), len(b.cameras))
	}
}

// On a full disk the crop is kept and its picture of the camera is lost. The log says it once, and
// once that it works again.
func TestCameraPictureCannotBeStored(t *testing.T) {
	b := newBench(t, passing(80, steady(12), 0, -150, -300, -450), 1)
	b.o.Keep = &review.Policy{Every: true, Camera: true}
	stored := 0
	b.storing = func() error {
		if stored++; stored < 4 {
			return journal.ErrFull
		}
		return nil
	}
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.pictures) != 4 || len(b.cameras) != 1 {
		t.Errorf("%d crops, %d pictures of the camera", len(b.pictures), len(b.cameras))
	}
	log := b.log.String()
	for _, text := range []string{
		`level=WARN msg="crop: camera picture not stored" error="the disk is full"`,
		`level=INFO msg="crop: camera picture stored again"`,
	} {
		if n := strings.Count(log, text); n != 1 {
			t.Errorf("%d times %q in\n%s", n, text, log)
		}
	}
}

// A live belt does not wait for a slow card: the pictures that do not fit into the queue are lost.
// A folder waits, so that every run of it keeps the same pictures.
func TestSlowCard(t *testing.T) {
	const tires = queuedPictures + 4
	var offsets []float64
	for i := range tires {
		offsets = append(offsets, float64(-150*i))
	}
	for _, live := range []bool{true, false} {
		b := newBench(t, passing(160, steady(12), offsets...), 1)
		b.o.Live, b.o.Keep = live, &review.Policy{Every: true, Camera: true}
		gate := make(chan struct{})
		b.storing = func() error { <-gate; return nil }
		open := false
		b.before = func(i int) {
			if !open && (!live || i == len(b.film)) { // at the end of the film on a live belt
				open = true
				close(gate)
			}
		}
		if err := b.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(b.pictures) != tires {
			t.Fatalf("live %v: %d crops of %d tires", live, len(b.pictures), tires)
		}
		lost := tires - len(b.cameras)
		if said := strings.Count(b.log.String(), "camera picture not stored"); live && (lost == 0 || said != 1) || !live && (lost != 0 || said != 0) {
			t.Errorf("live %v: %d pictures of the camera are lost, %d log lines", live, lost, said)
		}
	}
}

// A disagreement writes the crop again, after the writer got the picture. The note still describes
// it, and the picture is stored once.
func TestDisagreementKeepsThePicture(t *testing.T) {
	b := newBench(t, film{{150}}, 1)
	b.o.Keep = &review.Policy{Every: true, Disagreements: true, Camera: true}
	b.camera = newCameraWriter(b.SaveCamera, b.o.Log)
	e := &evidence{}
	r := image.Rect(100, 10, 200, 110)
	b.copyCamera(e, coloured(picture(0)), r, 0)
	spec := bundletest.Small(1).Spec
	shown := &keptCrop{pix: make([]byte, spec.Size()), width: spec.Width, tire: e}
	v := &verdict.Verdict{Seq: 1, Label: verdict.Normal, Threshold: 0.5}
	b.saveCrop(v, shown)
	b.saveDisagreement(v, shown)
	b.camera.stop()
	if len(b.pictures) != 2 || len(b.cameras) != 1 {
		t.Fatalf("%d crops, %d pictures of the camera", len(b.pictures), len(b.cameras))
	}
	if note := noteOf(t, 1, b.pictures[1]); note.Region != corners(r) || !note.Colour || len(note.Why) != 2 {
		t.Errorf("%+v", note)
	}
}

// The copy of a region reuses its memory.
func TestCopyAllocatesNothing(t *testing.T) {
	b := newBench(t, film{{150}}, 1)
	b.Station.camera = newCameraWriter(b.SaveCamera, b.o.Log)
	defer b.Station.camera.stop()
	f := coloured(picture(0))
	r := locate.Tire{Centre: locate.Point{X: 150, Y: 60}, Radius: testRadius}.Crop(f.Bounds(), 0.05)
	e := &evidence{}
	if n := testing.AllocsPerRun(100, func() {
		b.copyCamera(e, f, r, 0.5)
		b.copyCamera(e, f, r, 0.25)
		b.releaseCamera(e)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
