package verdict_test

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"tirewatch/vision/verdict"
)

func example() *verdict.Verdict {
	return &verdict.Verdict{
		Schema: verdict.SchemaVersion, Station: "hamburg/line1/station3", Seq: 42,
		Time:  time.Date(2026, 3, 1, 22, 15, 7, 250e6, time.UTC),
		Label: verdict.Crack, Reject: true, Probability: 0.9820137900379085, Threshold: 0.5,
		Votes: []verdict.Vote{
			{Frame: 801, Crop: [4]int{10, 20, 510, 520}, Logit: 3.5},
			{Frame: 803, Crop: [4]int{60, 20, 560, 520}, Logit: 4.5},
		},
		ModelSerial: 7, ModelHash: "00112233aabbccdd", Trigger: "photo-eye", Part: "4711",
		MS: verdict.Duration{Locate: 1.5, Preprocess: 2, Forward: 35.25},
	}
}

func TestBothEncodings(t *testing.T) {
	for _, e := range []verdict.Encoding{verdict.JSON, verdict.MessagePack} {
		b, err := example().Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := verdict.Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", e, err)
		}
		if !reflect.DeepEqual(got, example()) {
			t.Errorf("%s: read %+v", e, got)
		}
	}
	if _, err := example().Encode("xml"); err == nil {
		t.Error("encoded as xml")
	}
}

// SCADA engineers write programs for the JSON of a verdict, so it must not change.
func TestJSONFieldsStay(t *testing.T) {
	b, err := example().Encode(verdict.JSON)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"schema":2,"station":"hamburg/line1/station3","seq":42,` +
		`"time":"2026-03-01T22:15:07.25Z","label":"crack","reject":true,` +
		`"probability":0.9820137900379085,"threshold":0.5,"votes":[{"frame":801,"crop":[10,20,510,520],"logit":3.5},` +
		`{"frame":803,"crop":[60,20,560,520],"logit":4.5}],` +
		`"model_serial":7,"model_hash":"00112233aabbccdd","trigger":"photo-eye","part":"4711",` +
		`"ms":{"locate":1.5,"preprocess":2,"forward":35.25}}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	later := example()
	later.Schema = verdict.SchemaVersion + 1
	other := example()
	other.Label = "perhaps"
	encode := func(v *verdict.Verdict) string {
		b, err := v.Encode(verdict.MessagePack)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for name, s := range map[string]string{
		"nothing":            "",
		"text":               "hello",
		"broken JSON":        `{"schema":1`,
		"another schema":     encode(later),
		"an unknown label":   encode(other),
		"bytes after it":     encode(example()) + "x",
		"cut off":            encode(example())[:40],
		"four billion votes": strings.Replace(encode(example()), "\xa5votes\x92", "\xa5votes\xdd\xff\xff\xff\xff", 1),
	} {
		if v, err := verdict.Decode([]byte(s)); !errors.Is(err, verdict.ErrMalformed) {
			t.Errorf("%s: verdict %+v, error %v", name, v, err)
		}
	}
}

// Journals and receivers keep verdicts longer than programs. So verdicts of the first schema can
// still be read.
func TestFirstSchemaIsRead(t *testing.T) {
	for label, reject := range map[string]bool{"crack": true, "normal": false} {
		v, err := verdict.Decode([]byte(
			`{"schema":1,"station":"a/b/c","seq":1,"time":"2026-03-01T22:15:07Z","label":"` + label + `"}`))
		if err != nil || v.Schema != 1 || v.Reject != reject {
			t.Errorf("%s: %+v, %v", label, v, err)
		}
	}
}

// A tire that could not be judged is as dangerous as a cracked one.
func TestOnlyASoundTireStays(t *testing.T) {
	for _, l := range append(verdict.Labels(), "", "perhaps") {
		if l.Reject() != (l != verdict.Normal) {
			t.Errorf("%q: reject is %v", l, l.Reject())
		}
	}
}

func TestDecide(t *testing.T) {
	votes := func(logits ...float64) (v []verdict.Vote) {
		for _, l := range logits {
			v = append(v, verdict.Vote{Logit: l})
		}
		return v
	}
	for _, c := range []struct {
		name      string
		rule      verdict.Rule
		threshold float64
		votes     []verdict.Vote
		label     verdict.Label
		logit     float64 // that explains the label
	}{
		{"one sure frame outweighs two doubtful ones", "", 0.5, votes(-0.5, -0.5, 4), verdict.Crack, 1},
		{"on the threshold is a crack", verdict.Mean, 0.5, votes(-2, 2), verdict.Crack, 0},
		{"a low threshold rejects more", verdict.Mean, 0.1, votes(-2), verdict.Crack, -2},
		{"sound", verdict.Mean, 0.5, votes(-3, -4), verdict.Normal, -3.5},
		{"two doubtful frames outvote a sure one", verdict.Majority, 0.5, votes(-0.5, 4, -0.5), verdict.Normal, -0.5},
		{"half of the frames are enough", verdict.Majority, 0.5, votes(-3, 1, 2, -4), verdict.Crack, 1},
		{"less than half is not", verdict.Majority, 0.5, votes(3, -1, 2, -4, -5), verdict.Normal, -1},
		{"one frame is enough", verdict.Any, 0.5, votes(-3, 0.1, -4), verdict.Crack, 0.1},
		{"none is not", verdict.Any, 0.5, votes(-3, -0.1), verdict.Normal, -0.1},
	} {
		before := slices.Clone(c.votes)
		label, p := verdict.Policy{Threshold: c.threshold, Rule: c.rule}.Decide(c.votes)
		if want := verdict.Probability(c.logit); label != c.label || math.Abs(p-want) > 1e-12 {
			t.Errorf("%s: %s %g, want %s %g", c.name, label, p, c.label, want)
		}
		if !slices.Equal(before, c.votes) {
			t.Errorf("%s: the votes changed their order", c.name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range []verdict.Encoding{verdict.JSON, verdict.MessagePack} {
		b, err := example().Encode(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, err := verdict.Decode(b); (v == nil) == (err == nil) {
			t.Fatalf("verdict %v, error %v", v, err)
		}
	})
}

// At each border the answer is the worse one.
func TestThreeAnswers(t *testing.T) {
	for _, c := range []struct {
		policy      verdict.Policy
		probability float64
		want        verdict.Label
	}{
		{verdict.Policy{Threshold: 0.7, SoundBelow: 0.2}, 0, verdict.Normal},
		{verdict.Policy{Threshold: 0.7, SoundBelow: 0.2}, math.Nextafter(0.2, 0), verdict.Normal},
		{verdict.Policy{Threshold: 0.7, SoundBelow: 0.2}, 0.2, verdict.NoDecision},
		{verdict.Policy{Threshold: 0.7, SoundBelow: 0.2}, math.Nextafter(0.7, 0), verdict.NoDecision},
		{verdict.Policy{Threshold: 0.7, SoundBelow: 0.2}, 0.7, verdict.Crack},
		{verdict.Policy{Threshold: 0.7, SoundBelow: 0.2}, 1, verdict.Crack},
		{verdict.Policy{Threshold: 0.7}, math.Nextafter(0.7, 0), verdict.Normal},
		{verdict.Policy{Threshold: 0.7, SoundBelow: 0.7}, math.Nextafter(0.7, 0), verdict.Normal},
		{verdict.Policy{Threshold: 0.7, SoundBelow: 0.7}, 0.7, verdict.Crack},
	} {
		got, p := c.policy.Label(c.probability)
		if got != c.want || p != c.probability {
			t.Errorf("%+v: %v is %s with %v, want %s", c.policy, c.probability, got, p, c.want)
		}
		if three := c.policy.SoundBelow == 0.2; c.policy.Three() != three {
			t.Errorf("%+v has three answers: %v", c.policy, !three)
		}
	}
}

// An unsure tire keeps its probability and both thresholds in both encodings. A verdict with one
// threshold has the bytes that it always had.
func TestUnsureIsSent(t *testing.T) {
	v := example()
	v.Label, v.Reason, v.SoundBelow, v.Threshold = verdict.NoDecision, verdict.Unsure, 0.4, 0.99
	for _, e := range []verdict.Encoding{verdict.JSON, verdict.MessagePack} {
		b, err := v.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		got, err := verdict.Decode(b)
		if err != nil || !reflect.DeepEqual(got, v) || !got.IsUnsure() {
			t.Errorf("%s: read %+v, %v", e, got, err)
		}
		if b, _ = example().Encode(e); strings.Contains(string(b), "sound_below") {
			t.Errorf("%s: a verdict with one threshold has sound_below", e)
		}
	}
	v.Reason = "decision after 3s, the budget is 1s"
	if v.IsUnsure() || example().IsUnsure() {
		t.Error("a late or decided tire is unsure")
	}
}
