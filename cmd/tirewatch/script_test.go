package main

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"tirewatch/cmd/internal/cli"
	"tirewatch/trainer/checkpoint"
)

// TestMain lets the scripts run this test binary as tirewatch.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tirewatch": func() { cli.Main(newRootCmd()) }})
}

// tirewatch runs a command line of the toolbox in this process and returns its output.
func tirewatch(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := cli.Run(t.Context(), newRootCmd(), args, &stdout, &stderr); code != cli.OK {
		t.Fatalf("tirewatch %s: exit code %d\n%s", strings.Join(args, " "), code, stderr.String())
	}
	return stdout.String()
}

// TestScripts runs testdata/script/*.txtar: the commands as a technician uses them, with mistakes.
func TestScripts(t *testing.T) {
	fetch, err := filepath.Abs("../../trainer/base/fetch")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("FETCH", fetch)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"oddimages": oddImages,
			"flip":      flip,
			"cut":       shorten,
			"threshold": threshold,
			"foreign":   foreign,
			"npzedit":   npzEdit,
		},
	})
}

// oddImages writes good and bad images, as a folder from a plant may contain them.
func oddImages(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	gray := image.NewGray(image.Rect(0, 0, 60, 50))
	for i := range gray.Pix {
		gray.Pix[i] = uint8(i * 7)
	}
	encode := func(write func(b *bytes.Buffer) error) []byte {
		var b bytes.Buffer
		ts.Check(write(&b))
		return b.Bytes()
	}
	photo := encode(func(b *bytes.Buffer) error { return jpeg.Encode(b, gray, nil) })
	deep := image.NewGray16(image.Rect(0, 0, 40, 40))
	alpha := image.NewNRGBA(image.Rect(0, 0, 40, 40))
	for i := range 1600 {
		deep.SetGray16(i%40, i/40, color.Gray16{Y: uint16(i * 41)})
		alpha.SetNRGBA(i%40, i/40, color.NRGBA{R: uint8(i), G: uint8(i / 3), A: uint8(i * 5)})
	}
	frame := func(level uint8) *image.Paletted {
		p := image.NewPaletted(image.Rect(0, 0, 30, 30), color.Palette{color.Black, color.Gray{Y: level}})
		for i := range p.Pix {
			p.Pix[i] = uint8(i % 2)
		}
		return p
	}
	// the header of a PNG of 12000 x 12000 px, to be refused before it is decoded
	huge := encode(func(b *bytes.Buffer) error { return png.Encode(b, image.NewGray(image.Rect(0, 0, 1, 1))) })
	copy(huge[16:], []byte{0, 0, 0x2e, 0xe0, 0, 0, 0x2e, 0xe0})
	for name, data := range map[string][]byte{
		"empty.jpg":     nil,
		"text.jpg":      []byte("not an image at all"),
		"truncated.jpg": photo[:len(photo)/2],
		"huge.png":      huge,
		"single.png":    encode(func(b *bytes.Buffer) error { return png.Encode(b, image.NewGray(image.Rect(0, 0, 1, 1))) }),
		"deep.png":      encode(func(b *bytes.Buffer) error { return png.Encode(b, deep) }),
		"alpha.png":     encode(func(b *bytes.Buffer) error { return png.Encode(b, alpha) }),
		"animated.gif": encode(func(b *bytes.Buffer) error {
			return gif.EncodeAll(b, &gif.GIF{Image: []*image.Paletted{frame(90), frame(200)}, Delay: []int{5, 5}})
		}),
	} {
		ts.Check(os.WriteFile(filepath.Join(dir, name), data, 0o644))
	}
}

// flip changes a byte: flip FILE OFFSET.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	data[at] ^= 1
	ts.Check(os.WriteFile(path, data, 0o644))
}

// shorten truncates a file: cut FILE BYTES.
func shorten(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), n))
}

// threshold copies a checkpoint with another threshold: threshold FROM TO NUMBER.
func threshold(ts *testscript.TestScript, _ bool, args []string) {
	c, err := checkpoint.Read(ts.MkAbs(args[0]))
	ts.Check(err)
	c.Threshold, err = strconv.ParseFloat(args[2], 64)
	ts.Check(err)
	ts.Check(checkpoint.Write(ts.MkAbs(args[1]), c))
}
