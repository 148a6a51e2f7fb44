package bundle_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/verdict"
)

// signAs is sign for another format version.
func signAs(version byte, payload []byte) []byte {
	data := sign(payload)
	data[11] = version
	body := data[:len(data)-ed25519.SignatureSize]
	return append(body, ed25519.Sign(bundletest.Key(1), append([]byte(domain), body...))...)
}

// three returns the thesis network with two thresholds and a drawn golden input.
func three(t testing.TB) *bundle.Bundle {
	t.Helper()
	b := bundletest.Three(7, 0.2, 0.8)
	r, err := infer.NewRunner(&b.Model)
	if err != nil {
		t.Fatal(err)
	}
	g := &b.Golden[1]
	g.Seed, g.Pix = 5, bundle.Draw(5, b.Spec.Width, b.Spec.Height)
	if g.Sum, err = r.Run(g.Pix); err != nil {
		t.Fatal(err)
	}
	b.Evaluation.UnsureCrack, b.Evaluation.UnsureNormal = 3, 1
	return b
}

func TestThreeAnswers(t *testing.T) {
	want := three(t)
	data := encode(t, want)
	if data[11] != 2 {
		t.Errorf("format version %d, want 2", data[11])
	}
	got, err := bundle.Decode(data, bundletest.Public(1))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(bundle.Bundle{}), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("written and read bundle differ:\n%s", d)
	}
	if p := got.Policy(verdict.Any); p != (verdict.Policy{Threshold: 0.8, SoundBelow: 0.2, Rule: verdict.Any}) || !p.Three() {
		t.Errorf("policy %+v", p)
	}
	if _, err := got.SelfTest(); err != nil {
		t.Error(err)
	}
	if e := got.Evaluation; e.Images() != 24 || e.Decided() != 20 || e.Unsure() != 4 || e.Accuracy() != 0.85 {
		t.Errorf("%+v: %d images, accuracy %v", e, e.Images(), e.Accuracy())
	}
	if !bytes.Equal(data, encode(t, three(t))) {
		t.Error("the same bundle has other bytes")
	}
}

// What needs version 2 raises the file to it, alone.
func TestWhatNeedsVersion2(t *testing.T) {
	for name, change := range map[string]func(b, full *bundle.Bundle){
		"two thresholds":   func(b, full *bundle.Bundle) { b.Threshold, b.Heads = full.Threshold, full.Heads },
		"unsure images":    func(b, _ *bundle.Bundle) { b.Evaluation.UnsureCrack = 1 },
		"a drawn golden":   func(b, full *bundle.Bundle) { b.Golden[1] = full.Golden[1] },
		"all of the above": func(b, full *bundle.Bundle) { *b = *full },
	} {
		b := bundletest.Small(7)
		change(b, three(t))
		if data := encode(t, b); data[11] != 2 || bytes.Contains(data, []byte("\xa3pix")) {
			t.Errorf("%s: format version %d, or golden inputs that are not packed", name, data[11])
		}
		payload, err := b.MarshalMsg(nil)
		if err != nil {
			t.Fatal(err)
		}
		for version := range byte(2) { // not raised, or raised with golden inputs as in version 1
			if _, err := bundle.Decode(signAs(version+1, payload), bundletest.Public(1)); !errors.Is(err, bundle.ErrMalformed) {
				t.Errorf("%s, not packed in version %d: %v, want ErrMalformed", name, version+1, err)
			}
		}
	}
	if h := bundletest.Small(7).Head(); h.Name != bundle.DefaultHead || h.Threshold != 0.5 || h.SoundBelow != 0 || h.Budgets != nil {
		t.Errorf("the head of a bundle without heads: %+v", h)
	}
}

// A program that runs one head refuses what its maker meant for another product type.
func TestHeadsAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(b *bundle.Bundle){
		"two heads":                func(b *bundle.Bundle) { b.Heads = append(b.Heads, b.Heads[0]) },
		"another name":             func(b *bundle.Bundle) { b.Heads[0].Name = "truck" },
		"another threshold":        func(b *bundle.Bundle) { b.Heads[0].Threshold = 0.7 },
		"sound above the crack":    func(b *bundle.Bundle) { b.Heads[0].SoundBelow = 0.81 },
		"sound below 0":            func(b *bundle.Bundle) { b.Heads[0].SoundBelow = 0 },
		"sound below NaN":          func(b *bundle.Bundle) { b.Heads[0].SoundBelow = math.NaN() },
		"an unknown budget":        func(b *bundle.Bundle) { b.Heads[0].Budgets = []bundle.Budget{{Side: "money"}} },
		"a budget of 1":            func(b *bundle.Bundle) { b.Heads[0].Budgets = []bundle.Budget{{Side: bundle.Escape, Limit: 1}} },
		"a budget twice":           func(b *bundle.Bundle) { b.Heads[0].Budgets = make([]bundle.Budget, 2) },
		"a budget of version 1":    func(b *bundle.Bundle) { b.Budget.Side = bundle.Escape },
		"unsure as the old budget": func(b *bundle.Bundle) { b.Heads, b.Budget.Side = nil, bundle.UnsureShare },
		"negative unsure":          func(b *bundle.Bundle) { b.Evaluation.UnsureCrack = -1 },
		"another drawing":          func(b *bundle.Bundle) { b.Golden[1].Pix[3]++ },
		"packed in memory":         func(b *bundle.Bundle) { b.Golden[0].Packed = []byte{1} },
	} {
		b := three(t)
		spoil(b)
		if _, err := bundle.Encode(b, bundletest.Key(1)); !errors.Is(err, bundle.ErrInvalid) {
			t.Errorf("%s: error %v, want ErrInvalid", name, err)
		}
	}
	b := three(t)
	if b.Heads[0].SoundBelow = b.Threshold; !bytes.Contains(encode(t, b), []byte("sound_below")) || b.Policy("").Three() {
		t.Error("equal thresholds are two answers")
	}
}

// A small file may state a large network input. It must not make a station allocate gigabytes.
func TestPackedBombs(t *testing.T) {
	for name, c := range map[string]struct {
		golden bundle.Golden
		want   string
	}{
		"drawings":    {bundle.Golden{Seed: 1}, "golden inputs of 128 MiB, the limit is 64 MiB"},
		"photographs": {bundle.Golden{Packed: []byte{0}}, "golden inputs of 128 MiB"},
	} {
		b := three(t)
		b.Spec.Width, b.Spec.Height = 2048, 1024
		b.Golden = nil
		for range bundle.MaxGolden {
			b.Golden = append(b.Golden, c.golden)
		}
		payload, err := b.MarshalMsg(nil)
		if err != nil {
			t.Fatal(err)
		}
		data := signAs(2, payload)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = bundle.Decode(data, bundletest.Public(1))
		runtime.ReadMemStats(&after)
		allocated := after.TotalAlloc - before.TotalAlloc
		if err == nil || !strings.Contains(err.Error(), c.want) || allocated > 1<<20 {
			t.Errorf("%s: %v, %d bytes allocated", name, err, allocated)
		}
	}
	b := three(t)
	b.Golden[0] = bundle.Golden{Sum: b.Golden[0].Sum, Packed: []byte{0xff}}
	b.Golden[1].Pix = nil
	payload, err := b.MarshalMsg(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.Decode(signAs(2, payload), bundletest.Public(1)); !errors.Is(err, bundle.ErrMalformed) {
		t.Errorf("a damaged photograph: %v, want ErrMalformed", err)
	}
}

// Some brokers take messages of at most 1 MiB. The network for 448 x 448 px stays below. Its two
// photographs are drawings here, without their seed: they take 148 kB each, and each of 25
// photographs of tires took 51 to 142 kB.
func TestMobileFitsAMessage(t *testing.T) {
	b := bundletest.Bundle(*graph.Mobile(448, 9), 7)
	r, err := infer.NewRunner(&b.Model)
	if err != nil {
		t.Fatal(err)
	}
	b.Golden = nil
	for seed := range uint64(6) {
		g := bundle.Golden{Pix: bundle.Draw(seed+1, 448, 448)}
		if g.Sum, err = r.Run(g.Pix); err != nil {
			t.Fatal(err)
		}
		if seed >= 2 {
			g.Seed = seed + 1
		}
		b.Golden = append(b.Golden, g)
	}
	data := encode(t, b)
	if len(data) > 1<<20 {
		t.Errorf("%d bytes, want at most %d", len(data), 1<<20)
	}
	t.Logf("%d bytes", len(data))
	got, err := bundle.Decode(data, bundletest.Public(1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := got.SelfTest(); err != nil {
		t.Error(err)
	}
}
