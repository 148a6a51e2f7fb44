package npz_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tirewatch/quantize/npz"
	"tirewatch/trainer/nn"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/graph"
)

// content returns a network with random weights and biases.
func content(t testing.TB, g *graph.Graph) *npz.Content {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 3))
	net, err := nn.New(g, rng)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range net.Params() {
		for i := range p.Data {
			p.Data[i] += float32(0.1 * rng.NormFloat64())
		}
	}
	return &npz.Content{Graph: *g, Params: net.Params(), Threshold: 0.25}
}

// A round trip keeps everything, to the bit.
func TestRoundTrip(t *testing.T) {
	small := bundletest.Graph()
	for name, g := range map[string]*graph.Graph{"thesis": graph.Thesis(), "small": &small} {
		want := content(t, g)
		data, err := npz.Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := npz.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-out +in):\n%s", name, diff)
		}
		again, err := npz.Encode(got)
		if err != nil || !bytes.Equal(again, data) {
			t.Errorf("%s: the same content has different bytes (%v)", name, err)
		}
	}
}

// NumPy wrote this archive, compressed and with some arrays in Fortran order. Number i of an array
// (H, W, I, O) or (I, O) is (7 i mod 23 - 11) / 16.
func TestNumPyArchive(t *testing.T) {
	data, err := os.ReadFile("testdata/thesis.npz")
	if err != nil {
		t.Fatal(err)
	}
	c, err := npz.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*graph.Thesis(), c.Graph); diff != "" {
		t.Errorf("graph (-want +got):\n%s", diff)
	}
	for _, p := range c.Params {
		outs := p.Shape[0]
		per := len(p.Data) / outs
		for o := range outs {
			for i := range per {
				if got, want := p.Data[o*per+i], float32((i*outs+o)*7%23-11)/16; got != want {
					t.Fatalf("%s, output %d, input %d: %g, want %g", p.Name, o, i, got, want)
				}
			}
		}
	}
}

// NumPy reads our archive and finds each number where Keras has it.
func TestNumPyReads(t *testing.T) {
	// /usr/bin/python3 is Debian's, which sees Debian's package of NumPy
	candidates := []string{"python3", "/usr/bin/python3"}
	i := slices.IndexFunc(candidates, func(p string) bool { return exec.Command(p, "-c", "import numpy").Run() == nil })
	if i < 0 {
		t.Skip("python3 with NumPy is not installed")
	}
	python := candidates[i]
	c := content(t, graph.Thesis())
	data, err := npz.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "weights.npz")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	// The script prints conv2_kernel[2, 0, 5, 7], dense1_kernel[3, 100], dense3_bias[0] and the
	// number of weights, as raw float32.
	out, err := exec.Command(python, "-c", `import sys, numpy
z = numpy.load(sys.argv[1])
v = numpy.array([z["conv2_kernel"][2, 0, 5, 7], z["dense1_kernel"][3, 100], z["dense3_bias"][0],
    sum(z[k].size for k in z.files)], "<f4")
sys.stdout.buffer.write(v.tobytes())`, path).Output()
	if err != nil {
		t.Fatal(err)
	}
	var got [4]float32
	if err := binary.Read(bytes.NewReader(out), binary.LittleEndian, &got); err != nil {
		t.Fatal(err)
	}
	conv2, dense1, dense3 := c.Params[2], c.Params[8], c.Params[13]
	want := [4]float32{conv2.Data[((7*3+2)*3+0)*128+5], dense1.Data[100*16+3], dense3.Data[0], 108657}
	if got != want {
		t.Errorf("NumPy reads %v, want %v", got, want)
	}
}

// rewrite copies an archive member by member through change, which may return nil to drop a member.
func rewrite(t testing.TB, data []byte, change func(name string, b []byte) []byte) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	if err := w.SetComment(r.Comment); err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		m, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(m)
		if err != nil {
			t.Fatal(err)
		}
		if b = change(f.Name, b); b == nil {
			continue
		}
		to, err := w.Create(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestRefuses(t *testing.T) {
	g := bundletest.Graph()
	data, err := npz.Encode(content(t, &g))
	if err != nil {
		t.Fatal(err)
	}
	on := func(array string, change func(b []byte) []byte) []byte {
		return rewrite(t, data, func(name string, b []byte) []byte {
			if name == array+".npy" {
				return change(b)
			}
			return b
		})
	}
	replace := func(from, to string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(from)) {
				t.Fatalf("no %q to replace", from)
			}
			return bytes.Replace(b, []byte(from), []byte(to), 1)
		}
	}
	for name, c := range map[string]struct {
		data []byte
		want error
		says string
	}{
		"empty":            {nil, npz.ErrDamaged, ""},
		"text":             {[]byte("weights"), npz.ErrDamaged, ""},
		"an array missing": {on("dense1_bias", func([]byte) []byte { return nil }), npz.ErrArrays, "dense1_bias"},
		"doubles":          {on("conv1_kernel", replace("<f4", "<f8")), npz.ErrArrays, "<f8"},
		"big endian":       {on("conv1_kernel", replace("<f4", ">f4")), npz.ErrArrays, ">f4"},
		"another shape":    {on("conv1_kernel", replace("3, 3, 1, 3", "3, 3, 3, 1")), npz.ErrArrays, "want (3, 3, 1, 3)"},
		"no shape":         {on("conv1_kernel", replace("3, 3, 1, 3", "          ")), npz.ErrArrays, "conv1_kernel"},
		"a truncated array": {on("dense1_kernel", func(b []byte) []byte { return b[:len(b)-1] }),
			npz.ErrDamaged, "dense1_kernel"},
		"an array that is too long": {on("dense1_kernel", func(b []byte) []byte { return append(b, 0) }),
			npz.ErrDamaged, "dense1_kernel"},
		"not an array": {on("dense1_kernel", func(b []byte) []byte { return []byte("some text instead") }),
			npz.ErrDamaged, "dense1_kernel"},
		"an empty array": {on("dense1_kernel", func(b []byte) []byte { return []byte{} }),
			npz.ErrDamaged, "dense1_kernel"},
		"a pickled object": {on("dense1_kernel", replace("'<f4'", "'|O' ")), npz.ErrDamaged, "dense1_kernel"},
		"NaN": {on("dense2_bias", func(b []byte) []byte { return append(b[:len(b)-4], 0, 0, 0xc0, 0x7f) }),
			npz.ErrArrays, "dense2"},
	} {
		got, err := npz.Decode(c.data)
		if !errors.Is(err, c.want) || got != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	c := content(t, &g)
	c.Params[0].Data[0] = float32(math.NaN())
	if _, err := npz.Encode(c); !errors.Is(err, nn.ErrParams) {
		t.Errorf("NaN to write: error %v", err)
	}
}

// Newer networks are refused in both directions: their weights have another layout in Keras.
func TestRefusesVersion2(t *testing.T) {
	if _, err := npz.Encode(content(t, graph.Mobile(32, 1))); !errors.Is(err, npz.ErrUnsupported) {
		t.Errorf("to write: error %v, want ErrUnsupported", err)
	}
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if err := w.SetComment(`{"tool":"tirewatch","graph":{"layers":[{"kind":"topmean","top":1}]}}`); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := npz.Decode(b.Bytes()); !errors.Is(err, npz.ErrUnsupported) {
		t.Errorf("to read: error %v, want ErrUnsupported", err)
	}
}

// A truncated archive is never read.
func TestEveryCutIsRefused(t *testing.T) {
	g := bundletest.Graph()
	data, err := npz.Encode(content(t, &g))
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if _, err := npz.Decode(data[:n]); err == nil {
			t.Fatalf("truncated to %d of %d bytes: accepted", n, len(data))
		}
	}
}

func FuzzDecode(f *testing.F) {
	g := bundletest.Graph()
	data, err := npz.Encode(content(f, &g))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := npz.Decode(data)
		if (c == nil) == (err == nil) {
			t.Fatalf("content %v, error %v", c, err)
		}
		if err == nil {
			if _, err := nn.FromParams(&c.Graph, c.Params); err != nil {
				t.Fatal(err)
			}
		}
	})
}
