package bundle_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"tirewatch/vision/anomaly"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/kernel"
)

// A second opinion makes a file of version 2, which an older program refuses by its version, and
// every kernel computes the golden scores.
func TestSecondOpinion(t *testing.T) {
	data, err := bundle.Encode(bundletest.Second(3, 1000), bundletest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	if v := binary.BigEndian.Uint32(data[8:]); v != 2 {
		t.Errorf("format version %d, want 2", v)
	}
	for _, k := range kernel.Bodies() {
		t.Run(k.Name(), func(t *testing.T) {
			t.Setenv(kernel.Env, k.Name())
			b, err := bundle.Decode(data, bundletest.Public(1))
			if err != nil {
				t.Fatal(err)
			}
			r, err := b.SelfTest()
			if err != nil {
				t.Fatal(err)
			}
			d, err := b.Detector()
			if err != nil || d == nil {
				t.Fatalf("no detector: %v", err)
			}
			if _, err := r.Run(make([]byte, b.Spec.Size())); err != nil {
				t.Fatal(err)
			}
			cells := make([]byte, d.Size())
			d.Cells(cells, r.Kept())
			// black is 8 standard deviations below grey 128, in two channels
			if sum, _ := d.Score(cells); sum != 3*724 {
				t.Errorf("score %d of a black picture, want %d", sum, 3*724)
			}
		})
	}
	b := bundletest.Small(1)
	if d, err := b.Detector(); d != nil || err != nil {
		t.Errorf("a bundle without a second opinion has %v, %v", d, err)
	}
	if b.Version() != 1 {
		t.Errorf("and version %d", b.Version())
	}
}

// Even without a new word in the network, the second opinion needs version 2.
func TestSecondOpinionNeedsVersion2(t *testing.T) {
	b := bundletest.Small(1)
	if b.Anomaly = new(anomaly.Model); b.Version() != 2 {
		t.Errorf("version %d, want 2", b.Version())
	}
}

func TestSecondOpinionRefuses(t *testing.T) {
	for name, spoil := range map[string]func(b *bundle.Bundle){
		"golden scores missing": func(b *bundle.Bundle) { b.Anomaly.Golden = b.Anomaly.Golden[1:] },
		"another layer":         func(b *bundle.Bundle) { b.Anomaly.Layer = "score" },
		"impossible figure":     func(b *bundle.Bundle) { b.Anomaly.Result.Found = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			b := bundletest.Second(1, 1000)
			spoil(b)
			if _, err := bundle.Encode(b, bundletest.Key(1)); !errors.Is(err, bundle.ErrInvalid) {
				t.Errorf("error %v, want ErrInvalid", err)
			}
		})
	}
	b := bundletest.Second(1, 1000)
	b.Anomaly.Golden[2]++
	var golden *bundle.GoldenError
	if _, err := b.SelfTest(); !errors.As(err, &golden) || golden.Index != 2 || !strings.Contains(err.Error(), "second opinion") {
		t.Errorf("error %v, want a GoldenError of the second opinion", err)
	}
}
