package bundle_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
)

const (
	headerSize = 24
	domain     = "tirewatch bundle\n"
)

func encode(t testing.TB, b *bundle.Bundle) []byte {
	t.Helper()
	data, err := bundle.Encode(b, bundletest.Key(1))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sign returns a signed file with any payload, as an attacker with the key or a faulty program
// could make it.
func sign(payload []byte) []byte {
	key := bundletest.Key(1)
	id := bundle.KeyID(key.Public().(ed25519.PublicKey))
	data := []byte("\x89tire\r\n\x1a\x00\x00\x00\x01")
	data = append(data, id[:]...)
	data = binary.BigEndian.AppendUint32(data, uint32(len(payload)))
	data = append(data, payload...)
	return append(data, ed25519.Sign(key, append([]byte(domain), data...))...)
}

func typed(err error) bool {
	var version *bundle.VersionError
	for _, want := range []error{
		bundle.ErrNotBundle, bundle.ErrTruncated, bundle.ErrUntrustedKey, bundle.ErrBadSignature, bundle.ErrMalformed,
	} {
		if errors.Is(err, want) {
			return true
		}
	}
	return errors.As(err, &version)
}

func TestRoundTrip(t *testing.T) {
	want := bundletest.Small(7)
	path := filepath.Join(t.TempDir(), "model.tire")
	if err := bundle.Write(path, want, bundletest.Key(1)); err != nil {
		t.Fatal(err)
	}
	got, err := bundle.Read(path, append(bundletest.Public(9), bundletest.Public(1)...))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(bundle.Bundle{}), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("written and read bundle differ:\n%s", d)
	}
	if len(got.ID()) != 16 {
		t.Errorf("id %q, want 16 hex digits", got.ID())
	}
	if _, err := got.SelfTest(); err != nil {
		t.Error(err)
	}
}

// The same inputs result in the same bytes, so that a bundle can be made again and compared.
func TestDeterministic(t *testing.T) {
	local := bundletest.Small(7)
	local.Created = local.Created.Add(400 * time.Millisecond).In(time.FixedZone("WIB", 7*3600))
	if !bytes.Equal(encode(t, bundletest.Small(7)), encode(t, local)) {
		t.Error("the same bundle, created in another time zone, has other bytes")
	}
	if bytes.Equal(encode(t, bundletest.Small(7)), encode(t, bundletest.Small(8))) {
		t.Error("another bundle has the same bytes")
	}
}

// Every change of any bit in any byte is detected.
func TestEveryBitFlipIsRefused(t *testing.T) {
	data := encode(t, bundletest.Small(7))
	step := 1
	if testing.Short() {
		step = 31
	}
	for i := 0; i < len(data); i += step {
		for bit := range 8 {
			data[i] ^= 1 << bit
			if b, err := bundle.Decode(data, bundletest.Public(1)); b != nil || !typed(err) {
				t.Fatalf("byte %d of %d, bit %d changed: error %v", i, len(data), bit, err)
			}
			data[i] ^= 1 << bit
		}
	}
	if _, err := bundle.Decode(data, bundletest.Public(1)); err != nil {
		t.Fatalf("the unchanged file: %v", err)
	}
}

func TestRefuses(t *testing.T) {
	good := encode(t, bundletest.Small(7))
	trusted := bundletest.Public(1)
	for name, c := range map[string]struct {
		data    []byte
		trusted []ed25519.PublicKey
		want    error
	}{
		"nothing":              {nil, trusted, bundle.ErrNotBundle},
		"another file":         {[]byte("\x89PNG\r\n\x1a\n and so on"), trusted, bundle.ErrNotBundle},
		"text mode transfer":   {bytes.ReplaceAll(good, []byte("\r\n"), []byte("\n")), trusted, bundle.ErrNotBundle},
		"only the magic":       {good[:8], trusted, bundle.ErrTruncated},
		"a byte after the end": {append(bytes.Clone(good), 0), trusted, bundle.ErrMalformed},
		"twice":                {append(bytes.Clone(good), good...), trusted, bundle.ErrMalformed},
		"no trusted key":       {good, nil, bundle.ErrUntrustedKey},
		"another key":          {good, bundletest.Public(2), bundle.ErrUntrustedKey},
		"a damaged key":        {good, []ed25519.PublicKey{trusted[0][:31]}, bundle.ErrUntrustedKey},
		"larger than allowed":  {slices.Concat(good, make([]byte, bundle.MaxSize)), trusted, bundle.ErrTooLarge},
		"an empty payload":     {sign(nil), trusted, bundle.ErrMalformed},
		"a payload of text":    {sign([]byte("hello")), trusted, bundle.ErrMalformed},
		"an empty map":         {sign([]byte{0x80}), trusted, bundle.ErrInvalid},
		"two payloads":         {sign(slices.Concat(good[headerSize:len(good)-64], []byte{0xc0})), trusted, bundle.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := bundle.Decode(c.data, c.trusted)
			if b != nil || !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	data := encode(t, bundletest.Small(7))
	for n := 1; n < len(data); n++ {
		if _, err := bundle.Decode(data[:n:n], bundletest.Public(1)); !errors.Is(err, bundle.ErrTruncated) {
			t.Fatalf("first %d of %d bytes: error %v, want ErrTruncated", n, len(data), err)
		}
	}
}

// A newer format is reported as such, although its signature cannot be checked: the technician must
// update, and not suspect an attack.
func TestNewerVersion(t *testing.T) {
	data := encode(t, bundletest.Small(7))
	data[11] = 3
	_, err := bundle.Decode(data, bundletest.Public(1))
	var v *bundle.VersionError
	if !errors.As(err, &v) || v.Have != 3 || v.Known != 2 || !strings.Contains(err.Error(), "unsupported version") {
		t.Errorf("error %v, want a VersionError", err)
	}
}

// A network with newer words is in a file of version 2, which older programs do not read. The
// thesis network stays in version 1.
func TestVersion2(t *testing.T) {
	for want, b := range map[byte]*bundle.Bundle{
		1: bundletest.Small(7),
		2: bundletest.Bundle(*graph.Mobile(32, 3), 7),
	} {
		data := encode(t, b)
		if data[11] != want {
			t.Errorf("format version %d, want %d", data[11], want)
		}
		got, err := bundle.Decode(data, bundletest.Public(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := got.SelfTest(); err != nil {
			t.Errorf("version %d: %v", want, err)
		}
		payload, err := b.MarshalMsg(nil)
		if err != nil {
			t.Fatal(err)
		}
		// a faulty program that does not raise the version, or raises it in vain
		if _, err := bundle.Decode(signAs(3-want, payload), bundletest.Public(1)); !errors.Is(err, bundle.ErrMalformed) {
			t.Errorf("network of version %d in a file of version %d: error %v, want ErrMalformed", want, 3-want, err)
		}
	}
}

// A bundle that names the authors of its weights is of version 2. All others keep their bytes.
func TestOrigin(t *testing.T) {
	plain, b := encode(t, bundletest.Small(7)), bundletest.Small(7)
	b.Provenance.Origin = "weights of other authors"
	data := encode(t, b)
	if bytes.Contains(plain, []byte("origin")) || plain[11] != 1 || data[11] != 2 {
		t.Errorf("format version %d with an origin, %d without, want 2 and 1", data[11], plain[11])
	}
	got, err := bundle.Decode(data, bundletest.Public(1))
	if err != nil || got.Provenance.Origin != b.Provenance.Origin {
		t.Errorf("read %+v, error %v", got.Provenance, err)
	}
	b.Provenance.Origin = strings.Repeat("x", 300)
	if _, err := bundle.Encode(b, bundletest.Key(1)); !errors.Is(err, bundle.ErrInvalid) {
		t.Errorf("an origin of 300 letters: error %v, want ErrInvalid", err)
	}
}

// A few bytes that claim an array of four billion layers must not make the station allocate them,
// signed or not.
func TestHostileLengths(t *testing.T) {
	key := func(k string) []byte { return append([]byte{0xa0 | byte(len(k))}, k...) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	huge := []byte{0xdd, 0xff, 0xff, 0xff, 0xff}
	layers := join([]byte{0x81}, key("model"), []byte{0x81}, key("graph"), []byte{0x81}, key("layers"))
	for name, payload := range map[string][]byte{
		"classes":        join([]byte{0x81}, key("classes"), huge),
		"golden":         join([]byte{0x81}, key("golden"), huge),
		"graph's layers": join(layers, huge),
		"just too long":  join(layers, []byte{0xdc, 0x10, 0x01}, bytes.Repeat([]byte{0x80}, 4097)),
		"a map":          {0xdf, 0xff, 0xff, 0xff, 0xff},
		"a long string":  {0x81, 0xdb, 0xff, 0xff, 0xff, 0xff},
		"deep nesting":   bytes.Repeat([]byte{0x91}, 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			data := sign(payload)
			var err error
			if n := testing.AllocsPerRun(1, func() { _, err = bundle.Decode(data, bundletest.Public(1)) }); n > 50 {
				t.Errorf("%g allocations", n)
			}
			if !errors.Is(err, bundle.ErrMalformed) {
				t.Errorf("error %v, want ErrMalformed", err)
			}
		})
	}
}

// A signed bundle may still be invalid. Both the program that signs and the one that verifies
// refuse it.
func TestInvalidContent(t *testing.T) {
	for name, spoil := range map[string]func(*bundle.Bundle){
		"weight -128":          func(b *bundle.Bundle) { b.Model.Layers[0].W[0] = 0x80 },
		"a bias missing":       func(b *bundle.Bundle) { b.Model.Layers[0].Bias = b.Model.Layers[0].Bias[1:] },
		"scale not a number":   func(b *bundle.Bundle) { b.Model.Layers[0].Mult[0] = float32(math.NaN()) },
		"no layers":            func(b *bundle.Bundle) { b.Model.Graph.Layers = nil },
		"unknown filter":       func(b *bundle.Bundle) { b.Spec.Filter = "cubic" },
		"spec of another size": func(b *bundle.Bundle) { b.Spec.Width++ },
		"classes swapped":      func(b *bundle.Bundle) { b.Classes[0], b.Classes[1] = b.Classes[1], b.Classes[0] },
		"three classes":        func(b *bundle.Bundle) { b.Classes = append(b.Classes, "bulge") },
		"threshold 0":          func(b *bundle.Bundle) { b.Threshold = 0 },
		"threshold 1":          func(b *bundle.Bundle) { b.Threshold = 1 },
		"threshold NaN":        func(b *bundle.Bundle) { b.Threshold = math.NaN() },
		"no serial":            func(b *bundle.Bundle) { b.Serial = 0 },
		"no date":              func(b *bundle.Bundle) { b.Created = time.Time{} },
		"no target":            func(b *bundle.Bundle) { b.Target = "" },
		"target part missing":  func(b *bundle.Bundle) { b.Target = "hamburg//station3" },
		"target half a name":   func(b *bundle.Bundle) { b.Target = "hamburg/line*/station3" },
		"hardware of words":    func(b *bundle.Bundle) { b.Hardware = "a Pi" },
		"hardware half named":  func(b *bundle.Bundle) { b.Hardware = "arm64/" },
		"ends before creation": func(b *bundle.Bundle) { b.NotAfter = b.Created.Add(-time.Second) },
		"a terminal escape":    func(b *bundle.Bundle) { b.Provenance.Tool = "tirewatch \x1b[2J" },
		"a second log line":    func(b *bundle.Bundle) { b.Model.Graph.Layers[1].Name = "pool1\nall is well" },
		"a very long name":     func(b *bundle.Bundle) { b.Quantization.Layers[0].Name = strings.Repeat("x", 300) },
		"too few golden":       func(b *bundle.Bundle) { b.Golden = b.Golden[1:] },
		"a short golden input": func(b *bundle.Bundle) { b.Golden[0].Pix = b.Golden[0].Pix[1:] },
		"negative images":      func(b *bundle.Bundle) { b.Evaluation.TruePositive = -1 },
		"agreement above 1":    func(b *bundle.Bundle) { b.Quantization.Agreement = 1.5 },
		"SNR NaN":              func(b *bundle.Bundle) { b.Quantization.Layers[0].SNR = math.NaN() },
		"logit error infinite": func(b *bundle.Bundle) { b.Quantization.LogitError = math.Inf(1) },
		"a trial not made":     func(b *bundle.Bundle) { b.Quantization.Chosen = 1 },
		"an unknown budget":    func(b *bundle.Bundle) { b.Budget.Side = "money" },
		"a budget above all":   func(b *bundle.Bundle) { b.Budget = bundle.Budget{Side: bundle.Escape, Limit: 2} },
		"range NaN":            func(b *bundle.Bundle) { b.Quantization.Layers[0].Range = math.NaN() },
	} {
		t.Run(name, func(t *testing.T) {
			b := bundletest.Small(7)
			spoil(b)
			if _, err := bundle.Encode(b, bundletest.Key(1)); !errors.Is(err, bundle.ErrInvalid) {
				t.Errorf("encode: error %v, want ErrInvalid", err)
			}
			payload, err := b.MarshalMsg(nil)
			if err != nil {
				t.Fatal(err)
			}
			got, err := bundle.Decode(sign(payload), bundletest.Public(1))
			if got != nil || !errors.Is(err, bundle.ErrInvalid) {
				t.Errorf("decode: error %v, want ErrInvalid", err)
			}
		})
	}
}

func TestSelfTestNoticesAWrongSum(t *testing.T) {
	b := bundletest.Small(7)
	b.Golden[2].Sum++
	r, err := b.SelfTest()
	var g *bundle.GoldenError
	if r != nil || !errors.As(err, &g) || g.Index != 2 || g.Want != g.Got+1 {
		t.Errorf("error %v, want a GoldenError for input 3", err)
	}
	b = bundletest.Small(7)
	b.Model.Layers = b.Model.Layers[1:]
	if _, err := b.SelfTest(); !errors.Is(err, infer.ErrModel) {
		t.Errorf("error %v, want ErrModel", err)
	}
}

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		target, station string
		want            bool
	}{
		{"*", "hamburg/line1/station3", true},
		{"*/*/*", "hamburg/line1/station3", true},
		{"hamburg/*/station3", "hamburg/line1/station3", true},
		{"hamburg/line1/station3", "hamburg/line1/station3", true},
		{"hamburg/line1/station3", "hamburg/line1/station30", false},
		{"hamburg/*/*", "bremen/line1/station3", false},
		{"hamburg/*/*", "hamburg/line1", false},
	} {
		b := bundle.Bundle{Target: c.target}
		if got := b.Targets(c.station); got != c.want {
			t.Errorf("%s targets %s: %v, want %v", c.target, c.station, got, c.want)
		}
	}
}

func TestFitsHardware(t *testing.T) {
	for _, c := range []struct {
		hardware, arch, kernel string
		want                   bool
	}{
		{"", "arm64", "neon", true},
		{"arm64", "arm64", "neon", true},
		{"arm64", "amd64", "avx2", false},
		{"arm64/sdot", "arm64", "sdot", true},
		{"arm64/sdot", "arm64", "neon", false},
		{"sdot", "arm64", "sdot", false},
	} {
		b := bundle.Bundle{Hardware: c.hardware}
		if got := b.FitsHardware(c.arch, c.kernel); got != c.want {
			t.Errorf("%q fits %s/%s: %v, want %v", c.hardware, c.arch, c.kernel, got, c.want)
		}
	}
}

// The optional fields do not change bundles without them: an older program, without these fields,
// wrote the same bytes. A bundle with them is read as it was written.
func TestOptionalFields(t *testing.T) {
	without := encode(t, bundletest.Small(7))
	for _, key := range []string{"hardware", "not_after"} {
		if bytes.Contains(without, []byte(key)) {
			t.Errorf("a bundle without %s has the key", key)
		}
	}
	b := bundletest.Small(7)
	if _, err := bundle.Encode(b, bundletest.Key(1)); err != nil || b.ID() != idBeforeOptionalFields {
		t.Errorf("id %s, %v; want %s, as before there were optional fields", b.ID(), err, idBeforeOptionalFields)
	}
	want := bundletest.Small(7)
	want.Hardware, want.NotAfter = "arm64/sdot", want.Created.Add(36*time.Hour)
	got, err := bundle.Decode(encode(t, want), bundletest.Public(1))
	if err != nil || got.Hardware != want.Hardware || !got.NotAfter.Equal(want.NotAfter) {
		t.Errorf("%+v, %v", got, err)
	}
}

// idBeforeOptionalFields is the id of the small bundle with serial 7 from before the format had
// optional fields.
const idBeforeOptionalFields = "aa6b8e5e66ace8d9"

// A failed write leaves the old file and nothing else.
func TestFailedWriteLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.tire")
	b := bundletest.Small(7)
	b.Threshold = 2
	if err := bundle.Write(path, b, bundletest.Key(1)); !errors.Is(err, bundle.ErrInvalid) {
		t.Errorf("error %v, want ErrInvalid", err)
	}
	if err := bundle.Write(path, bundletest.Small(7), nil); err == nil {
		t.Error("a bundle was written without a key")
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("the folder contains %v", entries)
	}
}

// Inspect shows the content of a file without a key. It does not detect changed bytes; only Decode
// does.
func TestInspect(t *testing.T) {
	data := encode(t, bundletest.Small(7))
	data[len(data)-1] ^= 1
	b, err := bundle.Inspect(data)
	if err != nil {
		t.Fatal(err)
	}
	if b.Serial != 7 || b.Signer() != bundle.KeyID(bundletest.Public(1)[0]) {
		t.Errorf("serial %d, signer %v", b.Serial, b.Signer())
	}
	if _, err := bundle.Decode(data, bundletest.Public(1)); !errors.Is(err, bundle.ErrBadSignature) {
		t.Errorf("error %v, want ErrBadSignature", err)
	}
}

// The fuzzer tests any bytes as a file, and any bytes as a signed payload.
func FuzzDecode(f *testing.F) {
	good := encode(f, bundletest.Small(7))
	f.Add(good)
	f.Add(good[headerSize : len(good)-64])
	newer := encode(f, three(f))
	f.Add(newer)
	f.Add(newer[headerSize : len(newer)-64])
	f.Add([]byte{0x81, 0xdd, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		if b, err := bundle.Decode(data, bundletest.Public(1)); err == nil {
			again, err := bundle.Encode(b, bundletest.Key(1))
			if err != nil || !bytes.Equal(again, data) && bytes.Equal(data, good) {
				t.Errorf("an accepted bundle encodes differently: %v", err)
			}
		} else if !typed(err) && !errors.Is(err, bundle.ErrInvalid) {
			t.Errorf("untyped error %v", err)
		}
		for version := range byte(2) {
			if b, err := bundle.Decode(signAs(version+1, data), bundletest.Public(1)); err == nil {
				_, err := b.SelfTest()
				if err != nil && !errors.As(err, new(*bundle.GoldenError)) && !errors.Is(err, infer.ErrModel) {
					t.Errorf("self-test of a valid bundle: %v", err)
				}
			}
		}
	})
}
