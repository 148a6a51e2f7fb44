//go:build opencv

package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpiotest"

	"tirewatch/agent/inspection"
	"tirewatch/agent/models"
	"tirewatch/agent/reject"
	asked "tirewatch/agent/trigger"
	"tirewatch/trainer/synth"
	"tirewatch/vision/bundle"
	"tirewatch/vision/camera"
	"tirewatch/vision/cut"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
	"tirewatch/vision/verdict"
)

var (
	lineTires  = flag.Int("line.tires", 40, "tires on the rough belt of TestLine")
	lineImages = flag.Int("line.images", 900, "images to train its model on")
	lineEpochs = flag.Int("line.epochs", 4, "epochs to train it")
	lineDir    = flag.String("line.dir", "", "folder for its model and video, which are kept and used again")
)

// TestLine lets the real station watch a video of a line with each kind of trigger: changing
// speeds, stops, tires that touch, glare, a hand, torn frames; edges that bounce; double, late and
// missing triggers. Each tire must get one verdict. The time is that of synctest, so the test takes
// only as long as it computes. The model is trained here, on other tires.
func TestLine(t *testing.T) {
	dir := *lineDir
	if dir == "" {
		dir = t.TempDir()
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	if _, err := os.Stat(in("model.tire")); err != nil {
		tirewatch(t, "dataset", "synth", in("tires"), "--view", "side", "--size", "400", "--train", fmt.Sprint(*lineImages), "--test", "100")
		tirewatch(t, "train", in("tires"), "--out", in("run"), "--epochs", fmt.Sprint(*lineEpochs), "--batch", "16")
		tirewatch(t, "keygen", in("plant.key"))
		tirewatch(t, "quantize", in("run/best.ckpt"), "--calibration", in("tires"), "--limit", "100", "--key", in("plant.key"), "-o", in("model.tire"), "--force")
	}
	clip := in(fmt.Sprintf("line-%d.avi", *lineTires))
	truth, err := synth.ReadTruth(synth.TruthPath(clip))
	if err != nil {
		o := synth.ClipOptions{Tires: *lineTires, Seed: 77, Width: 800, Height: 450, CrackFraction: 0.4, Rough: true}
		if truth, err = synth.WriteClip(t.Context(), clip, o, nil); err != nil {
			t.Fatal(err)
		}
	}
	l := &line{clip: clip, truth: truth, dir: dir}
	for _, kind := range []asked.Kind{asked.Presence, asked.PhotoEye, asked.Command, asked.Frame} {
		t.Run(string(kind), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { l.watch(t, kind) })
		})
	}
	l.compareVotes(t)
}

// line is a video of a belt, its truth, and what the runs found.
type line struct {
	clip  string
	truth synth.Truth
	dir   string

	votes map[int][]verdict.Vote // by tire, of the mode presence
	limit float64                // the model's threshold
}

const (
	// ejector is the time of a tire from the camera to the ejector. (On this belt with stops, an
	// encoder would be more exact.)
	ejector = 15 * time.Second
	width   = 100 * time.Millisecond
	// beam is where the light beam crosses a tire, in radii beside its centre, so that tires which
	// touch leave a gap. The part of the tire within chord radii along the belt blocks it.
	beam, chord = 0.6, 0.8
)

// passage is when a tire passes the photo-eye. The eye is where the blocked part begins while a
// tire is in the middle of the frame.
type passage struct {
	comes, leaves time.Duration // at the eye, from the clip's start
}

func (l *line) passage(tire synth.TruthTire) passage {
	const radius = 0.4585 // heights, on average
	eye := float64(l.truth.Width)/2 + chord*radius*float64(l.truth.Height)
	start := float64(tire.CentreX - l.truth.Way[tire.CentreFrame])
	// when the edge, in px from the tire's centre, is at the eye
	at := func(edge float64) time.Duration {
		for f := 1; f < len(l.truth.Way); f++ {
			before, after := start+edge+float64(l.truth.Way[f-1]), start+edge+float64(l.truth.Way[f])
			if before < eye && after >= eye {
				return time.Duration((float64(f-1) + (eye-before)/(after-before)) / float64(l.truth.FPS) * float64(time.Second))
			}
		}
		return -1
	}
	return passage{at(chord * float64(tire.Radius)), at(-chord * float64(tire.Radius))}
}

// watch runs the station on the video and compares it with the truth.
func (l *line) watch(t *testing.T, kind asked.Kind) {
	src, err := camera.Open(camera.Options{Source: camera.Location{Kind: camera.File, Target: l.clip}})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	key, err := bundle.ReadPublicKeys([]string{filepath.Join(l.dir, "plant.key.pub")})
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	quiet := slog.New(slog.NewTextHandler(&log, nil))
	store, err := models.Open(models.Options{Dir: t.TempDir(), Verify: models.Verifier(key, "a/b/c", nil), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	data, err := bundle.ReadFile(filepath.Join(l.dir, "model.tire"))
	if err == nil {
		var m *models.Loaded
		if m, err = store.Install(data); err == nil {
			l.limit = m.Bundle.Threshold
		}
	}
	if err != nil {
		t.Fatal(err)
	}

	start := time.Now()
	film := &filmed{Source: src, start: start, perFrame: time.Second / time.Duration(l.truth.FPS)}
	kept := &kept{}
	faults := map[asked.Fault]int{}
	o := inspection.Options{
		Source: film, Locator: locate.NewRound(locate.RoundOptions{}), Models: store, Journal: kept, Frames: 5, Cut: cut.Options{Margin: 0.02}, Live: true,
		Observer: inspection.Observer{TriggerFault: func(f asked.Fault) { faults[f]++ }}, Log: quiet,
	}
	ejects := &ejects{}
	output := reject.New(reject.Options{Pin: ejects, Active: gpio.High, Width: width, Delay: ejector, Linger: time.Minute, Log: quiet,
		Missed: func(o reject.Order, reason string) { t.Errorf("missed %+v: %s", o, reason) }})
	o.Observer.Decided = func(v *verdict.Verdict, middle time.Time) {
		if v.Reject {
			ejects.due = append(ejects.due, middle.Add(ejector))
			output.Order(reject.Order{Middle: middle, Part: v.Part})
		}
	}
	outside := &outside{line: l, kind: kind, start: start, rng: rand.New(rand.NewPCG(9, 9)), replies: map[string][]error{}}
	ctx, cancel := context.WithCancel(t.Context())
	background := make(chan struct{}, 3)
	go func() { output.Run(ctx); background <- struct{}{} }()
	switch kind {
	case asked.Frame:
		o.Each, film.only = true, map[int]bool{}
		for _, tire := range l.truth.Tires {
			film.only[tire.CentreFrame] = true
		}
	case asked.PhotoEye, asked.Command:
		triggers := make(chan asked.Trigger, 64)
		o.Triggers = inspection.Triggers{Source: triggers, Window: 500 * time.Millisecond, Tracked: true}
		outside.run(ctx, triggers, faults, background)
	}
	if err := inspection.New(o).Run(t.Context()); err != nil {
		t.Error(err)
	}
	cancel()
	for range 1 + outside.goroutines {
		<-background
	}

	l.check(t, kind, kept.verdicts, outside)
	ejects.check(t)
	for fault, n := range outside.injected {
		if faults[fault] != n {
			t.Errorf("%d faults %q were counted, %d were made", faults[fault], fault, n)
		}
	}
	t.Logf("%d tires, %d verdicts, %d rejects in %d pulses; triggers made wrong: %v, counted: %v", len(l.truth.Tires), len(kept.verdicts), len(ejects.due), ejects.pulses, outside.injected, faults)
	if t.Failed() {
		t.Log(log.String())
	}
}

// check compares the verdicts with the truth: one for each tire, from frames that show it, with its
// name.
func (l *line) check(t *testing.T, kind asked.Kind, verdicts []*verdict.Verdict, outside *outside) {
	t.Helper()
	if len(verdicts) != len(l.truth.Tires) {
		t.Errorf("%d verdicts on %d tires", len(verdicts), len(l.truth.Tires))
	}
	of := map[int]int{}
	votes := map[int][]verdict.Vote{}
	for _, v := range verdicts {
		i := l.tire(v)
		if i < 0 {
			t.Errorf("verdict %d, %s %q %s, shows no tire of the truth: %+v", v.Seq, v.Trigger, v.Part, v.Reason, v.Votes)
			continue
		}
		of[i]++
		votes[i] = v.Votes
		want, part := kind, ""
		switch {
		case outside.missing[i]:
			want = asked.Missing
		case kind == asked.Command:
			part = outside.part(i)
		}
		if v.Trigger != string(want) || v.Part != part {
			t.Errorf("tire %d: verdict %d answers %q, part %q; want %q, %q", i, v.Seq, v.Trigger, v.Part, want, part)
		}
	}
	for i, tire := range l.truth.Tires {
		if of[i] != 1 {
			t.Errorf("tire %d, in frames %d to %d, has %d verdicts", i, tire.FirstFrame+1, tire.LastFrame+1, of[i])
		}
	}
	if kind == asked.Presence {
		l.votes = votes
	}
}

// tire returns the tire that all votes of a verdict show in its place, or -1.
func (l *line) tire(v *verdict.Verdict) int {
	found := -1
	for k, vote := range v.Votes {
		f := int(vote.Frame) - 1
		middle := float64(vote.Crop[0]+vote.Crop[2]) / 2
		i := slices.IndexFunc(l.truth.Tires, func(tire synth.TruthTire) bool {
			x := float64(tire.CentreX + l.truth.Way[f] - l.truth.Way[tire.CentreFrame])
			return max(middle-x, x-middle) < 0.2*float64(tire.Radius)
		})
		if i < 0 || k > 0 && i != found {
			return -1
		}
		found = i
	}
	return found
}

// compareVotes prints how many tires each voting rule gets right, and how many single frames.
// Frames of one tire mostly agree, so the rules differ on few tires; the test does not say which is
// best.
func (l *line) compareVotes(t *testing.T) {
	type score struct{ right, of, escaped, falsely int }
	count := func(s *score, said verdict.Label, is string) {
		s.of++
		switch {
		case string(said) == is:
			s.right++
		case said == verdict.Normal:
			s.escaped++
		default:
			s.falsely++
		}
	}
	var single score
	rules := make([]score, len(verdict.Rules()))
	for i, votes := range l.votes {
		if len(votes) == 0 {
			continue
		}
		is := l.truth.Tires[i].Label
		for _, v := range votes {
			label, _ := verdict.Policy{Threshold: l.limit}.Decide([]verdict.Vote{v})
			count(&single, label, is)
		}
		for r, rule := range verdict.Rules() {
			label, _ := verdict.Policy{Threshold: l.limit, Rule: rule}.Decide(votes)
			count(&rules[r], label, is)
		}
	}
	var table strings.Builder
	row := func(name string, s score) {
		fmt.Fprintf(&table, "%-14s %5d %8.2f %% %9d %13d\n", name, s.of, 100*float64(s.right)/float64(max(1, s.of)), s.escaped, s.falsely)
	}
	fmt.Fprintf(&table, "\n%-14s %5s %10s %9s %13s\n", "vote", "n", "right", "escaped", "false rejects")
	row("single frames", single)
	for r, rule := range verdict.Rules() {
		row(string(rule), rules[r])
	}
	t.Log(table.String())
	if mean := rules[0]; mean.of == 0 || float64(mean.right) < 0.8*float64(mean.of) {
		t.Errorf("the model has not learned: %+v", mean)
	}
}

// filmed is a video at the speed of a camera.
type filmed struct {
	camera.Source
	start    time.Time
	perFrame time.Duration
	only     map[int]bool // the frames to return; nil: all
}

func (s *filmed) Next(ctx context.Context) (*frame.Frame, error) {
	for {
		f, err := s.Source.Next(ctx)
		if err != nil {
			return nil, err
		}
		i := int(f.Seq) - 1
		if s.only != nil && !s.only[i] {
			continue
		}
		select {
		case <-time.After(time.Until(s.start.Add(time.Duration(i) * s.perFrame))):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		f.Time = time.Now()
		return f, nil
	}
}

// kept is a journal in memory.
type kept struct{ verdicts []*verdict.Verdict }

func (k *kept) Append(v *verdict.Verdict) error {
	v.Station, v.Seq = "a/b/c", k.Next()
	k.verdicts = append(k.verdicts, v)
	return nil
}

func (k *kept) Next() uint64 { return uint64(len(k.verdicts) + 1) }

func (k *kept) SaveCrop([]byte) (string, error) { return "", errors.New("no crops are kept") }

func (k *kept) SaveCropOf(uint64, []byte) (string, error) { return k.SaveCrop(nil) }

func (k *kept) SaveCamera(uint64, []byte) error { return errors.New("no crops are kept") }

// ejects is the pin of an ejector.
type ejects struct {
	gpiotest.Pin
	due    []time.Time
	active [][2]time.Time
	pulses int
}

func (e *ejects) Out(l gpio.Level) error {
	switch was := bool(e.Read()); {
	case bool(l) && !was:
		e.pulses++
		e.active = append(e.active, [2]time.Time{time.Now()})
	case !bool(l) && was:
		e.active[len(e.active)-1][1] = time.Now()
	}
	return e.Pin.Out(l)
}

// check wants the ejector to be active when a rejected tire passes it, and at no other time.
func (e *ejects) check(t *testing.T) {
	t.Helper()
	for _, due := range e.due {
		if !slices.ContainsFunc(e.active, func(p [2]time.Time) bool { return !due.Before(p[0]) && !due.Add(width).After(p[1]) }) {
			t.Errorf("no pulse for the tire that was due at %v", due)
		}
	}
	for _, p := range e.active {
		if !slices.ContainsFunc(e.due, func(due time.Time) bool { return due.Equal(p[0]) }) {
			t.Errorf("a pulse at %v, when no tire was due", p[0])
		}
	}
}

// outside is the photo-eye or the PLC, with their faults.
type outside struct {
	*line
	kind  asked.Kind
	start time.Time
	rng   *rand.Rand

	missing    map[int]bool
	injected   map[asked.Fault]int
	replies    map[string][]error
	goroutines int
}

func (s *outside) part(i int) string { return fmt.Sprintf("tire-%03d", i) }

// event is a change of the photo-eye's level, or a command.
type event struct {
	at    time.Duration
	level gpio.Level
	part  string
	time  time.Duration // the time of the tire in a late command; 0: none
}

// Each of these faults happens every so many tires.
const (
	missingEvery = 11
	doubleEvery  = 7
	lateEvery    = 17 // only for a PLC; the tire was judged without a trigger meanwhile
)

// events are the edges or commands of all tires.
func (s *outside) events() []event {
	s.missing, s.injected = map[int]bool{}, map[asked.Fault]int{}
	var all []event
	edge := func(at time.Duration, level gpio.Level) { // with some bounces after it
		all = append(all, event{at: at, level: level})
		for range s.rng.IntN(3) {
			s.injected[asked.Bounce] += 2
			at += time.Duration(100+s.rng.IntN(900)) * time.Microsecond
			all = append(all, event{at: at, level: !level})
			at += time.Duration(100+s.rng.IntN(900)) * time.Microsecond
			all = append(all, event{at: at, level: level})
		}
	}
	for i, tire := range s.truth.Tires {
		p := s.passage(tire)
		again := p.comes + time.Duration(150+s.rng.IntN(100))*time.Millisecond
		switch {
		case s.kind == asked.Command && i%lateEvery == lateEvery-1:
			s.missing[i] = true
			s.injected[asked.Absent]++
			s.injected[asked.Late]++
			all = append(all, event{at: p.comes + 9*time.Second, part: s.part(i), time: p.comes})
			continue
		case i%missingEvery == missingEvery-1:
			s.missing[i] = true
			s.injected[asked.Absent]++
			continue
		}
		double := i%doubleEvery == doubleEvery-1
		if double {
			s.injected[asked.Double]++
		}
		if s.kind == asked.Command {
			all = append(all, event{at: p.comes + time.Duration(s.rng.IntN(60))*time.Millisecond, part: s.part(i)})
			if double {
				all = append(all, event{at: again, part: s.part(i) + " again"})
			}
			continue
		}
		edge(p.comes, gpio.High)
		if double {
			edge(again, gpio.Low)
			edge(again+20*time.Millisecond, gpio.High)
		}
		edge(p.leaves, gpio.Low)
	}
	slices.SortStableFunc(all, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	return all
}

// run plays the events.
func (s *outside) run(ctx context.Context, triggers chan<- asked.Trigger, faults map[asked.Fault]int, ended chan<- struct{}) {
	events := s.events()
	pin := &gpiotest.Pin{N: "EYE", EdgesChan: make(chan gpio.Level)}
	if s.kind == asked.PhotoEye {
		s.goroutines++
		bounced := 0
		eye := asked.Eye{Pin: pin, Active: gpio.High, Debounce: 5 * time.Millisecond, Bounced: func() { bounced++ }}
		go func() {
			eye.Watch(ctx, func(tr asked.Trigger) { triggers <- tr })
			faults[asked.Bounce] = bounced
			ended <- struct{}{}
		}()
	}
	s.goroutines++
	go func() {
		defer func() { ended <- struct{}{} }()
		for _, e := range events {
			select {
			case <-time.After(time.Until(s.start.Add(e.at))):
			case <-ctx.Done():
				return
			}
			if s.kind == asked.PhotoEye {
				pin.EdgesChan <- e.level
				continue
			}
			tr := asked.Trigger{Kind: asked.Command, Time: time.Now(), Part: e.part}
			if e.time != 0 {
				tr.Time = s.start.Add(e.time)
			}
			triggers <- tr
		}
	}()
}

var _ io.Closer = (*filmed)(nil)
