package checkpoint_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"tirewatch/trainer/augment"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/nn"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// small is a checkpoint of a tiny network, so that a test can try every byte of its file.
func small(t testing.TB) *checkpoint.Checkpoint {
	g := graph.Graph{Input: graph.Shape{H: 4, W: 3, C: 1}, Layers: []graph.Layer{
		{Kind: graph.Flatten, Name: "flatten"},
		{Kind: graph.Dense, Name: "dense1", Filters: 1, Activation: graph.Sigmoid},
	}}
	net, err := nn.New(&g, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	return &checkpoint.Checkpoint{
		Graph: g, Spec: preprocess.Spec{Width: 3, Height: 4, Filter: preprocess.FilterTriangle}, Params: net.Params(), Threshold: 0.5,
		Config:  checkpoint.Config{Epochs: 3, Batch: 64, Rate: 0.001, Augment: augment.Thesis(), Created: time.Unix(1e9, 0).UTC()},
		Epoch:   1,
		History: []checkpoint.Epoch{{Epoch: 1, TrainLoss: 0.7}},
	}
}

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "best.ckpt")
	want := small(t)
	if err := checkpoint.Write(path, want); err != nil {
		t.Fatal(err)
	}
	got, err := checkpoint.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	got.Config.Created = got.Config.Created.UTC()
	if !reflect.DeepEqual(got.Params, want.Params) || !reflect.DeepEqual(got.Config, want.Config) || !reflect.DeepEqual(got.History, want.History) {
		t.Errorf("read %+v\nwrote %+v", got, want)
	}
}

// A changed, missing or added byte is refused.
func TestEveryDamageIsRefused(t *testing.T) {
	data, err := checkpoint.Encode(small(t))
	if err != nil {
		t.Fatal(err)
	}
	typed := func(err error) bool {
		var v *checkpoint.VersionError
		return errors.Is(err, checkpoint.ErrNotCheckpoint) || errors.Is(err, checkpoint.ErrDamaged) || errors.As(err, &v)
	}
	for i := range data {
		data[i] ^= 0x40
		if _, err := checkpoint.Decode(data); !typed(err) {
			t.Fatalf("byte %d changed: error %v", i, err)
		}
		data[i] ^= 0x40
		if _, err := checkpoint.Decode(data[:i]); !typed(err) {
			t.Fatalf("cut to %d bytes: error %v", i, err)
		}
	}
	if _, err := checkpoint.Decode(append(data, 0)); !typed(err) {
		t.Errorf("a byte added: error %v", err)
	}
}

// A network with newer words is in a file of version 2, so that an older program reports an
// unsupported version. The thesis network stays in version 1.
func TestVersion(t *testing.T) {
	mobile := small(t)
	mobile.Graph = *graph.Mobile(32, 2)
	mobile.Spec.Width, mobile.Spec.Height = 32, 32
	net, err := nn.New(&mobile.Graph, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		t.Fatal(err)
	}
	mobile.Params = net.Params()
	for want, c := range map[uint32]*checkpoint.Checkpoint{1: small(t), 2: mobile} {
		data, err := checkpoint.Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		if got := binary.LittleEndian.Uint32(data[8:]); got != want {
			t.Errorf("format %d, want %d", got, want)
		}
		got, err := checkpoint.Decode(data)
		if err != nil || !reflect.DeepEqual(got.Params, c.Params) || got.Graph.Hash() != c.Graph.Hash() {
			t.Errorf("format %d: read another network (%v)", want, err)
		}
		for header, known := range map[uint32]bool{0: false, 3 - want: true, 3: false} {
			body := bytes.Clone(data[:len(data)-sha256.Size])
			binary.LittleEndian.PutUint32(body[8:], header)
			sum := sha256.Sum256(body)
			_, err := checkpoint.Decode(append(body, sum[:]...))
			var v *checkpoint.VersionError
			if errors.As(err, &v) == known || errors.Is(err, checkpoint.ErrDamaged) != known {
				t.Errorf("network of version %d in a file of format %d: error %v", want, header, err)
			}
		}
	}
}

// A file that names the authors of its weights is of version 2, also with the thesis network.
func TestOrigin(t *testing.T) {
	plain, err := checkpoint.Encode(small(t))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(plain, []byte("origin")) || bytes.Contains(plain, []byte("licence")) {
		t.Error("a file of version 1 has fields of version 2")
	}
	for _, c := range []struct {
		name, origin, licence string
		ok                    bool
	}{
		{"both", "PoseNet by Google", "Licensed under\nthese terms\n", true},
		{"no licence", "drawn tires", "", true},
		{"no origin", "", "terms\n", true},
		{"a terminal escape", "PoseNet \x1b[2J", "", false},
		{"two lines of origin", "PoseNet\nFAILED", "", false},
		{"a terminal escape in the licence", "PoseNet", "terms \x1b[2J", false},
		{"not UTF-8", "PoseNet \xff", "", false},
		{"a long origin", strings.Repeat("x", checkpoint.MaxOrigin+1), "", false},
		{"a long licence", "", strings.Repeat("x", checkpoint.MaxLicence+1), false},
	} {
		want := small(t)
		want.Origin, want.Licence = c.origin, c.licence
		data, err := checkpoint.Encode(want)
		if c.ok != (err == nil) {
			t.Errorf("%s: error %v", c.name, err)
		}
		if !c.ok || err != nil {
			continue
		}
		if got := binary.LittleEndian.Uint32(data[8:]); got != 2 {
			t.Errorf("%s: format %d, want 2", c.name, got)
		}
		got, err := checkpoint.Decode(data)
		if err != nil || got.Origin != c.origin || got.Licence != c.licence {
			t.Errorf("%s: read %+v (%v)", c.name, got, err)
		}
	}
	// another program may write what Encode refuses
	hostile := small(t)
	hostile.Origin = "PoseNet ?[2J"
	data, err := checkpoint.Encode(hostile)
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.Replace(data[:len(data)-sha256.Size], []byte("?[2J"), []byte("\x1b[2J"), 1)
	sum := sha256.Sum256(body)
	if _, err := checkpoint.Decode(append(body, sum[:]...)); !errors.Is(err, checkpoint.ErrDamaged) {
		t.Errorf("a file with a terminal escape: error %v, want ErrDamaged", err)
	}
}

func TestRefusesWhatDoesNotFit(t *testing.T) {
	for name, spoil := range map[string]func(*checkpoint.Checkpoint){
		"preprocessing of another size": func(c *checkpoint.Checkpoint) { c.Spec.Width = 4 },
		"a tensor missing":              func(c *checkpoint.Checkpoint) { c.Params = c.Params[:1] },
		"no network":                    func(c *checkpoint.Checkpoint) { c.Graph.Layers = nil },
	} {
		c := small(t)
		spoil(c)
		data, err := checkpoint.Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := checkpoint.Decode(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	var mismatch *graph.MismatchError
	if err := small(t).RequireGraph(graph.Thesis()); !errors.As(err, &mismatch) {
		t.Errorf("another network: error %v, want MismatchError", err)
	}
}

// A failed write leaves the old checkpoint unchanged and no other file.
func TestFailedWriteKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "last.ckpt")
	if err := checkpoint.Write(path, small(t)); err != nil {
		t.Fatal(err)
	}
	if err := checkpoint.Write(filepath.Join(dir, "missing", "last.ckpt"), small(t)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want not exist", err)
	}
	if _, err := checkpoint.Read(path); err != nil {
		t.Error(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%d files in the folder, want 1", len(entries))
	}
}

func FuzzDecode(f *testing.F) {
	data, err := checkpoint.Encode(small(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte("TIRECKPT"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := checkpoint.Decode(data); (c == nil) == (err == nil) {
			t.Fatalf("checkpoint %v, error %v", c, err)
		}
	})
}

// Averaged weights and quarter turns need version 2: a program that does not know them would resume
// without them. Files without them keep their version.
func TestAverage(t *testing.T) {
	version := func(c *checkpoint.Checkpoint) uint32 {
		data, err := checkpoint.Encode(c)
		if err != nil {
			t.Fatal(err)
		}
		return binary.LittleEndian.Uint32(data[8:])
	}
	c := small(t)
	if v := version(c); v != graph.Version1 {
		t.Errorf("without an average: version %d, want %d", v, graph.Version1)
	}
	c.Config.EMADecay = 0.99
	if v := version(c); v != graph.Version2 {
		t.Errorf("best of a training with an average: version %d, want %d", v, graph.Version2)
	}
	turned := small(t)
	turned.Config.Augment = augment.Quarter()
	if v := version(turned); v != graph.Version2 {
		t.Errorf("with quarter turns: version %d, want %d", v, graph.Version2)
	}
	for _, p := range c.Params {
		c.Average = append(c.Average, p.Data)
	}
	data, err := checkpoint.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	got, err := checkpoint.Decode(data)
	if err != nil || !reflect.DeepEqual(got.Average, c.Average) || got.Config.EMADecay != 0.99 {
		t.Errorf("averages %v, error %v", got, err)
	}
	for name, average := range map[string][][]float32{
		"a tensor missing": c.Average[1:],
		"short data":       {c.Average[0][1:], c.Average[1]},
		"not a number":     {c.Average[0], {float32(math.NaN())}},
	} {
		bad := *c
		bad.Average = average
		if data, err = checkpoint.Encode(&bad); err != nil {
			t.Fatal(err)
		}
		if _, err := checkpoint.Decode(data); !errors.Is(err, nn.ErrParams) {
			t.Errorf("%s: error %v, want ErrParams", name, err)
		}
	}
}
