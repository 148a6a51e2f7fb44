package synth

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// smallClip is quick to film and still has everything that clips have.
var smallClip = ClipOptions{Tires: 4, Seed: 2, Width: 340, Height: 200, FPS: 10, CrackFraction: 0.5}

// aviFrames checks the file's structure and returns its frames.
func aviFrames(t *testing.T, data []byte) [][]byte {
	t.Helper()
	u32 := func(at int) int { return int(binary.LittleEndian.Uint32(data[at:])) }
	if string(data[:4]) != "RIFF" || string(data[8:12]) != "AVI " || u32(4) != len(data)-8 {
		t.Fatalf("no RIFF AVI header with the file's length: %q", data[:12])
	}
	avih := bytes.Index(data, []byte("avih"))
	movi := bytes.Index(data, []byte("movi"))
	if avih < 0 || movi < avih {
		t.Fatalf("avih at %d, movi at %d", avih, movi)
	}
	count := u32(avih + 8 + 16)
	var frames [][]byte
	for at := movi + 4; string(data[at:at+4]) == "00dc"; {
		n := u32(at + 4)
		frames = append(frames, data[at+8:at+8+n])
		at += 8 + n + n&1
	}
	if len(frames) != count {
		t.Fatalf("header says %d frames, file has %d", count, len(frames))
	}
	return frames
}

func TestWriteClip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clip.avi")
	done := 0
	truth, err := WriteClip(t.Context(), path, smallClip, func(d, total int) { done = d })
	if err != nil {
		t.Fatal(err)
	}
	if done != truth.Frames {
		t.Errorf("progress ended at %d of %d", done, truth.Frames)
	}
	read, err := ReadTruth(TruthPath(path))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(truth, read); d != "" {
		t.Errorf("truth on disk differs (-returned +read):\n%s", d)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	frames := aviFrames(t, data)
	if len(frames) != truth.Frames {
		t.Fatalf("%d frames, the truth has %d", len(frames), truth.Frames)
	}
	if len(truth.Tires) != smallClip.Tires {
		t.Fatalf("%d tires, want %d", len(truth.Tires), smallClip.Tires)
	}
	for _, tire := range truth.Tires {
		img, err := jpeg.Decode(bytes.NewReader(frames[tire.CentreFrame]))
		if err != nil {
			t.Fatalf("frame %d: %v", tire.CentreFrame, err)
		}
		if img.Bounds() != image.Rect(0, 0, 340, 200) {
			t.Fatalf("frame %d is %v", tire.CentreFrame, img.Bounds())
		}
		checkTire(t, img.(*image.YCbCr), tire)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 2 {
		t.Errorf("folder holds %v, %v; want the clip and its truth", left, err)
	}
}

// checkTire searches for the dark disc: brightness must jump at the true circle, and less at
// shifted ones.
func checkTire(t *testing.T, img *image.YCbCr, tire TruthTire) {
	t.Helper()
	circle := func(cx, cy, r float64) float64 {
		sum, n := 0.0, 0
		for a := 0.0; a < 2*math.Pi; a += 0.05 {
			p := image.Pt(int(cx+r*math.Cos(a)), int(cy+r*math.Sin(a)))
			if p.In(img.Bounds()) {
				sum += float64(img.Y[img.YOffset(p.X, p.Y)])
				n++
			}
		}
		return sum / float64(n)
	}
	r := float64(tire.Radius)
	best, at := math.Inf(-1), image.Point{}
	for dy := -12; dy <= 12; dy += 4 {
		for dx := -24; dx <= 24; dx += 4 {
			x, y := float64(tire.CentreX+dx), float64(tire.CentreY+dy)
			if jump := circle(x, y, r+4) - circle(x, y, r-6); jump > best {
				best, at = jump, image.Pt(dx, dy)
			}
		}
	}
	if best < 25 || at.X < -4 || at.X > 4 || at.Y < -4 || at.Y > 4 {
		t.Errorf("tire %d: brightest jump %.0f is %v away from the true position", tire.Index, best, at)
	}
}

func TestTimetable(t *testing.T) {
	for name, o := range map[string]ClipOptions{
		"default":       {Tires: 60, Seed: 1, CrackFraction: 0.5},
		"narrow":        {Tires: 60, Seed: 1, Width: 260, Height: 200},
		"wide and slow": {Tires: 60, Seed: 1, Width: 1600, Height: 400, FPS: 60},
		"fast":          {Tires: 60, Seed: 1, FPS: 3, CrackFraction: 1},
		"rough":         {Tires: 60, Seed: 1, Rough: true},
	} {
		t.Run(name, func(t *testing.T) {
			o = o.withDefaults()
			if err := o.check(); err != nil {
				t.Fatal(err)
			}
			table := o.timetable()
			empty, touch, stands := 0, 0, 0
			for f := range table.frames() - o.FPS {
				if table.way[f] == table.way[f+1] {
					stands++
				}
				if d := table.way[f+1] - table.way[f]; d < 0 || d&1 != 0 {
					t.Fatalf("the belt moves by %d px after frame %d", d, f)
				}
			}
			for i, p := range table.passages {
				inside := func(f int) bool {
					x := p.start + table.way[f]
					return x-p.Radius >= 0 && x+p.Radius <= o.Width
				}
				if n := p.LastFrame - p.FirstFrame + 1; n < fewestFrames {
					t.Errorf("tire %d is wholly visible for only %d frames", i, n)
				}
				if !inside(p.FirstFrame) || !inside(p.LastFrame) || p.FirstFrame > 0 && inside(p.FirstFrame-1) || inside(p.LastFrame+1) {
					t.Errorf("tire %d: wrong first or last frame %d, %d", i, p.FirstFrame, p.LastFrame)
				}
				if p.FirstFrame > p.CentreFrame || p.CentreFrame > p.LastFrame || p.LastFrame >= table.frames() {
					t.Errorf("tire %d: frames %d, %d, %d of %d",
						i, p.FirstFrame, p.CentreFrame, p.LastFrame, table.frames())
				}
				if off := p.CentreX - o.Width/2; off > table.speed || off < -table.speed {
					t.Errorf("tire %d passes %d px from the middle", i, off)
				}
				if p.CentreY-p.Radius < 0 || p.CentreY+p.Radius > o.Height {
					t.Errorf("tire %d leaves the picture above or below", i)
				}
				if i > 0 {
					q := table.passages[i-1]
					gap := q.start - q.Radius - (p.start + p.Radius)
					if gap <= 2 {
						touch++
					}
					if gap < 2 && !o.Rough || gap < 0 {
						t.Errorf("tires %d and %d are %d px apart", i-1, i, gap)
					}
					if gap >= o.Width+table.speed*o.FPS {
						empty++
					}
				}
			}
			if empty == 0 {
				t.Error("the belt is never empty for a second")
			}
			if o.Rough != (touch > 5) || o.Rough != (stands > o.FPS) {
				t.Errorf("%d tires touch, and the belt stops for %d frames", touch, stands)
			}
		})
	}
}

// Some frames of a rough clip contain rows of the previous frame, including its noise; most contain
// none.
func TestTornFrames(t *testing.T) {
	o := ClipOptions{Tires: 4, Seed: 2, Width: 340, Height: 200, FPS: 10, Rough: true}.withDefaults()
	table := o.timetable()
	sc := newScene(o, table)
	found, before := 0, make([]uint8, len(sc.img.Y))
	for f := range table.frames() {
		img := sc.frame(f)
		stale := 0
		for y := range o.Height {
			row := y * img.YStride
			if bytes.Equal(img.Y[row:row+o.Width], before[row:row+o.Width]) {
				stale++
			}
		}
		if stale > 0 {
			found++
			if stale < o.Height/16-2 || stale > o.Height/2 {
				t.Errorf("frame %d has %d rows of the previous frame", f, stale)
			}
		}
		copy(before, img.Y)
	}
	if found < table.frames()/25 || found > table.frames()/5 {
		t.Errorf("%d of %d frames are torn", found, table.frames())
	}
}

func TestClipIsTheSameTwice(t *testing.T) {
	o := smallClip
	o.Tires = 1
	var first map[string][]byte
	for range 2 {
		dir := t.TempDir()
		if _, err := WriteClip(t.Context(), filepath.Join(dir, "clip.avi"), o, nil); err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = tree(t, dir)
		} else if !cmp.Equal(first, tree(t, dir)) {
			t.Error("the second clip differs")
		}
	}
}

func TestCancelledClipLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := t.TempDir()
	_, err := WriteClip(ctx, filepath.Join(dir, "clip.avi"), smallClip, func(done, total int) {
		if done == 5 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if left := tree(t, dir); len(left) > 0 {
		t.Errorf("left %d files", len(left))
	}
}

func TestWriteClipRefuses(t *testing.T) {
	for name, change := range map[string]func(*ClipOptions){
		"no tires":          func(o *ClipOptions) { o.Tires = 0 },
		"a low picture":     func(o *ClipOptions) { o.Height = 100 },
		"a narrow picture":  func(o *ClipOptions) { o.Width = 240 },
		"an odd width":      func(o *ClipOptions) { o.Width = 341 },
		"1000 frames":       func(o *ClipOptions) { o.FPS = 1000 },
		"negative fraction": func(o *ClipOptions) { o.CrackFraction = -0.1 },
		"negative quality":  func(o *ClipOptions) { o.Quality = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			o := smallClip
			change(&o)
			dir := t.TempDir()
			if _, err := WriteClip(t.Context(), filepath.Join(dir, "clip.avi"), o, nil); err == nil {
				t.Error("no error")
			}
			if left := tree(t, dir); len(left) > 0 {
				t.Errorf("left %d files", len(left))
			}
		})
	}
	t.Run("a missing folder", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "missing", "clip.avi")
		if _, err := WriteClip(t.Context(), path, smallClip, nil); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want an error naming %s", err, path)
		}
	})
}

func BenchmarkClip(b *testing.B) {
	frames := 0
	for range b.N {
		truth, err := WriteClip(b.Context(), filepath.Join(b.TempDir(), "clip.avi"), ClipOptions{Tires: 8, Seed: 3, CrackFraction: 0.5}, nil)
		if err != nil {
			b.Fatal(err)
		}
		frames += truth.Frames
	}
	b.ReportMetric(float64(frames)/b.Elapsed().Seconds(), "frames/s")
}
