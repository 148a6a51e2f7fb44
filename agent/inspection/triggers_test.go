package inspection

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tirewatch/agent/models"
	"tirewatch/agent/trigger"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/frame"
	"tirewatch/vision/locate"
	"tirewatch/vision/verdict"
)

// triggerBench is a station that is asked for its verdicts, in the time of synctest: a frame comes
// every 40 ms.
type triggerBench struct {
	*bench
	triggers chan trigger.Trigger
	faults   []trigger.Fault
	replies  map[string]error // by part
	silent   func(frame int) time.Duration
	start    time.Time
}

const perFrame = 40 * time.Millisecond

func newTriggerBench(t *testing.T, f film, serials ...uint64) *triggerBench {
	t.Helper()
	b := &triggerBench{bench: newBench(t, f, serials...), triggers: make(chan trigger.Trigger, 16), replies: map[string]error{}, start: time.Now()}
	b.o.Live = true
	b.o.Source = slowReel{b}
	b.o.Triggers = Triggers{Source: b.triggers, Window: 400 * time.Millisecond, Tracked: true}
	b.o.Observer.TriggerFault = func(f trigger.Fault) { b.faults = append(b.faults, f) }
	return b
}

// slowReel gives the film's frames at their times.
type slowReel struct{ *triggerBench }

func (b slowReel) Next(ctx context.Context) (*frame.Frame, error) {
	pause := perFrame
	if b.silent != nil {
		pause += b.silent(b.given)
	}
	select {
	case <-time.After(pause):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	f, err := reel{b.bench}.Next(ctx)
	if err == nil {
		f.Time = time.Now()
	}
	return f, err
}

// at asks for the tire of a frame half a frame before it.
func (b *triggerBench) at(frame int, part string) {
	b.fire(time.Duration(frame+1)*perFrame-perFrame/2, trigger.Trigger{Kind: trigger.PhotoEye, Part: part})
}

// fire sends a trigger so long after the start; one without a time happens then.
func (b *triggerBench) fire(after time.Duration, tr trigger.Trigger) {
	go func() {
		time.Sleep(after)
		if tr.Time.IsZero() {
			tr.Time = time.Now()
		}
		tr.Reply = func(err error) {
			if _, twice := b.replies[tr.Part]; twice {
				panic("two replies to " + tr.Part)
			}
			b.replies[tr.Part] = err
		}
		b.triggers <- tr
	}()
}

// summary is what a verdict answers and what became of it.
func (b *triggerBench) summary() (all []string) {
	for _, v := range b.verdicts {
		text := v.Trigger
		if v.Part != "" {
			text += " " + v.Part
		}
		if v.Label == verdict.NoDecision {
			text += ": " + v.Reason
		}
		all = append(all, text)
	}
	return all
}

func TestTriggers(t *testing.T) {
	// Two tires, in the middle of the picture in frames 17 and 29.
	two := func() film { return passing(60, steady(12), 0, -150) }
	for _, c := range []struct {
		name   string
		film   film
		set    func(b *triggerBench)
		want   []string
		faults []trigger.Fault
	}{
		{"one for each tire", two(), func(b *triggerBench) { b.at(17, "1"); b.at(29, "2") },
			[]string{"photo-eye 1", "photo-eye 2"}, nil},
		{"two tires that touch", passing(60, steady(12), 0, -100), func(b *triggerBench) { b.at(17, "1"); b.at(25, "2") },
			[]string{"photo-eye 1", "photo-eye 2"}, nil},
		{"an eye before the camera", two(), func(b *triggerBench) {
			b.o.Triggers.Delay = 10 * perFrame
			b.at(7, "1")
			b.at(19, "2")
		}, []string{"photo-eye 1", "photo-eye 2"}, nil},
		{"double", two(), func(b *triggerBench) { b.at(17, "1"); b.at(18, "again"); b.at(29, "2") },
			[]string{"photo-eye 1", "photo-eye 2"}, []trigger.Fault{trigger.Double}},
		{"double after the verdict", two(), func(b *triggerBench) { b.at(12, "1"); b.at(20, "again"); b.at(29, "2") },
			[]string{"photo-eye 1", "photo-eye 2"}, []trigger.Fault{trigger.Double}},
		{"double within the least gap, where no tire is told from another", two(), func(b *triggerBench) {
			b.o.Triggers.MinGap, b.o.Triggers.Tracked = 5*perFrame, false
			b.at(16, "1")
			b.at(20, "again")
			b.at(28, "2")
		}, []string{"photo-eye 1", "photo-eye 2"}, []trigger.Fault{trigger.Double}},
		// Its verdict comes when it has left for good, after that of the tire behind it.
		{"missing: the camera is the witness", two(), func(b *triggerBench) { b.at(29, "2") },
			[]string{"photo-eye 2", "missing"}, []trigger.Fault{trigger.Absent}},
		{"one too many claims the next tire, whose own trigger is the double then", two(), func(b *triggerBench) { b.at(17, "1"); b.at(24, "extra"); b.at(29, "2") },
			[]string{"photo-eye 1", "photo-eye extra"}, []trigger.Fault{trigger.Double}},
		{"a tire that is taken off the belt before its trigger", append(passing(10, steady(12), 60), make(film, 20)...), func(*triggerBench) {}, nil, nil},
		{"no tire", film(make([][]float64, 40)), func(b *triggerBench) { b.at(9, "1") },
			[]string{"photo-eye 1: no tire was found in the 10 frames of the trigger's window"}, nil},
		{"late: it was sent after its tire had gone", append(make(film, 30), two()...), func(b *triggerBench) {
			b.fire(20*perFrame, trigger.Trigger{Kind: trigger.Command, Part: "old", Time: b.start})
			b.at(47, "1")
			b.at(59, "2")
		}, []string{"command old: late: the trigger arrived 400ms after its tire had passed", "photo-eye 1", "photo-eye 2"}, []trigger.Fault{trigger.Late}},
		{"late: the witness was faster", append(two(), make(film, 30)...), func(b *triggerBench) {
			b.at(17, "1")
			b.fire(70*perFrame, trigger.Trigger{Kind: trigger.Command, Part: "2", Time: b.start.Add(30 * perFrame)})
		}, []string{"photo-eye 1", "missing"}, []trigger.Fault{trigger.Absent, trigger.Late}},
		{"the camera is silent", two(), func(b *triggerBench) {
			b.silent = func(frame int) time.Duration {
				if frame == 5 {
					return time.Hour
				}
				return 0
			}
			b.at(17, "1")
		}, []string{"photo-eye 1: the camera sent no frame in the 400ms of the trigger's window", "missing", "missing"}, []trigger.Fault{trigger.Absent, trigger.Absent}},
		{"the belt stops with a tire in the middle", passing(90, func(i int) float64 {
			if i > 16 && i < 50 {
				return 0
			}
			return 12
		}, 0, -100), func(b *triggerBench) { b.at(17, "1"); b.at(59, "2") }, []string{"photo-eye 1", "photo-eye 2"}, nil},
		{"stopped before the tire arrived", film(make([][]float64, 10)), func(b *triggerBench) { b.at(8, "1") },
			[]string{"photo-eye 1: the station stopped before the tire arrived"}, nil},
		{"told to stop with one tire before the eye", passing(18, steady(12), 0, -150), func(b *triggerBench) { b.at(16, "1") },
			[]string{"photo-eye 1"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newTriggerBench(t, c.film, 1)
				c.set(b)
				if err := b.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := b.summary(); !slices.Equal(got, c.want) {
					t.Errorf("verdicts %q; want %q", got, c.want)
				}
				if !slices.Equal(b.faults, c.faults) {
					t.Errorf("faults %q; want %q", b.faults, c.faults)
				}
				for _, v := range b.verdicts {
					if v.Reject != (v.Label != verdict.Normal) || (v.Label == verdict.NoDecision) != (len(v.Votes) == 0) {
						t.Errorf("verdict %+v", v)
					}
					if v.Label != verdict.NoDecision {
						b.checkVotes(t, v)
					}
				}
				if len(b.Station.triggers.windows) != 0 || len(b.evidence) != 0 {
					t.Errorf("left over: %d triggers, %d tires", len(b.Station.triggers.windows), len(b.evidence))
				}
			})
		})
	}
}

// A PLC gets the result of its trigger.
func TestTriggersAreAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newTriggerBench(t, passing(60, steady(12), 0, -150), 1)
		b.at(17, "first")
		b.at(18, "again")
		b.at(29, "second")
		b.at(50, "nothing there")
		if err := b.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := map[string]error{"first": nil, "again": trigger.ErrDouble, "second": nil, "nothing there": nil}
		if fmt.Sprint(b.replies) != fmt.Sprint(want) {
			t.Errorf("replies %v; want %v", b.replies, want)
		}
	})
}

// The verdict is sent as soon as no better frame can follow, and at the end of the window at the
// latest.
func TestVerdictsComeInTime(t *testing.T) {
	for _, c := range []struct {
		name   string
		silent bool
		after  time.Duration // from the trigger to the decision
	}{
		// The tire is in the middle in frame 17; the frames around it are the best three, and 19 is
		// no better.
		{"tire in the middle", false, 2*perFrame + perFrame/2},
		{"silent camera", true, 400 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newTriggerBench(t, passing(60, steady(12), 0), 1)
				var decided []time.Duration
				asked := b.start.Add(18*perFrame - perFrame/2)
				b.o.Observer.Decided = func(_ *verdict.Verdict, middle time.Time) {
					if len(decided) == 0 && !middle.Equal(asked) {
						t.Errorf("in the middle %v after the trigger; want at once", middle.Sub(asked))
					}
					decided = append(decided, time.Since(asked))
				}
				if c.silent {
					b.silent = func(i int) time.Duration {
						if i == 10 {
							return time.Hour
						}
						return 0
					}
				}
				b.at(17, "1")
				if err := b.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				if len(decided) == 0 || decided[0] != c.after {
					t.Errorf("decided after %v; want %v", decided, c.after)
				}
			})
		})
	}
}

// A missing trigger stays a problem until triggers find their tires again.
func TestMissingTriggersAreToldUntilTheyComeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts []float64
		for i := range 12 {
			starts = append(starts, float64(-150*i))
		}
		b := newTriggerBench(t, passing(200, steady(12.5), starts...), 1)
		for i := range 11 { // none for the first; then they come every twelfth frame
			b.at(16+12*(i+1), fmt.Sprint(i))
		}
		if err := b.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(b.verdicts) != 12 || !slices.Equal(b.faults, []trigger.Fault{trigger.Absent}) {
			t.Fatalf("verdicts %q, faults %q", b.summary(), b.faults)
		}
		if n := len(b.problems); n != 2 || !strings.Contains(b.problems[0], "trigger:a tire passed without") || b.problems[1] != "trigger:" {
			t.Errorf("problems %q", b.problems)
		}
	})
}

// A fixture holds tire after tire at one place: each trigger is one tire, and the frames of its
// window are the votes.
func TestTriggersInAFixedRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := film(make([][]float64, 60))
		for i := range f {
			f[i] = []float64{200}
		}
		b := newTriggerBench(t, f, 1)
		b.o.Triggers.Tracked = false
		b.at(10, "1")
		b.at(20, "2")
		if err := b.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := b.summary(); !slices.Equal(got, []string{"photo-eye 1", "photo-eye 2"}) || len(b.faults) != 0 {
			t.Fatalf("verdicts %q, faults %q", got, b.faults)
		}
		for i, v := range b.verdicts {
			b.checkVotes(t, v)
			for k, vote := range v.Votes {
				if len(v.Votes) != 3 || int(vote.Frame)-1 < 10*(i+1) || int(vote.Frame)-1 > 10*(i+1)+3 {
					t.Errorf("tire %d: vote %d is frame %d of %d votes", i+1, k, vote.Frame-1, len(v.Votes))
				}
			}
		}
	})
}

// Without a model a live belt gets no_decision.
func TestBeltDoesNotWaitForAModel(t *testing.T) {
	for _, asks := range []bool{false, true} {
		t.Run(fmt.Sprintf("asked %v", asks), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newTriggerBench(t, passing(100, steady(12), 0, -150, -300))
				b.silent = func(i int) time.Duration {
					if i == 23 { // the first has been asked for
						b.install(t, 1)
					}
					return 0
				}
				if asks {
					b.at(17, "1")
					b.at(29, "2")
					b.at(42, "3")
				} else {
					b.o.Triggers = Triggers{}
				}
				if err := b.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				var labels []string
				for _, v := range b.verdicts {
					labels = append(labels, string(v.Label)+v.Reason)
				}
				// The second came into the picture before the model.
				none := "no_decision" + errNoModel.Error()
				if len(labels) != 3 || labels[0] != none || labels[1] != none || labels[2] == none || !b.verdicts[0].Reject {
					t.Errorf("verdicts %q", labels)
				}
				if !slices.Equal(b.problems, []string{"model:no model is installed", "model:"}) {
					t.Errorf("problems %q", b.problems)
				}
			})
		})
	}
}

// slow is a search that takes its time.
type slow struct {
	locate.Locator
	takes time.Duration
}

func (s slow) Find(f *frame.Frame) []locate.Tire {
	time.Sleep(s.takes)
	return s.Locator.Find(f)
}

// A decision later than the budget is no_decision, whatever the network says.
func TestBudget(t *testing.T) {
	for _, c := range []struct {
		takes   time.Duration
		decided bool
	}{{10 * time.Millisecond, true}, {130 * time.Millisecond, false}} {
		for _, asks := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v asked %v", c.takes, asks), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newTriggerBench(t, passing(60, steady(12), 0), 1)
					b.o.Locator, b.o.Budget = slow{b, c.takes}, 120*time.Millisecond
					period := perFrame + c.takes
					if asks {
						b.fire(17*period+perFrame, trigger.Trigger{Kind: trigger.PhotoEye, Part: "1"})
					} else {
						b.o.Triggers = Triggers{}
					}
					if err := b.Run(t.Context()); err != nil {
						t.Fatal(err)
					}
					if len(b.verdicts) != 1 || len(b.verdicts[0].Votes) == 0 {
						t.Fatalf("verdicts %+v", b.verdicts)
					}
					v := b.verdicts[0]
					if (v.Label != verdict.NoDecision) != c.decided || !c.decided && (!v.Reject || !strings.Contains(v.Reason, "budget is 120ms")) {
						t.Errorf("%s: %s", v.Label, v.Reason)
					}
				})
			})
		}
	}
}

// broken gives a network that reads other sizes than its preprocessing makes.
type broken struct{ Models }

func (m broken) Wait(ctx context.Context) (*models.Loaded, error) {
	loaded, err := m.Models.Wait(ctx)
	if err != nil {
		return nil, err
	}
	b := bundletest.Small(1)
	b.Spec.Width *= 2
	return &models.Loaded{Bundle: b, Runner: loaded.Runner}, nil
}

// A forward pass that fails gives no_decision and then ends the station, which counts against a
// model on probation.
func TestNetworkThatFails(t *testing.T) {
	b := newBench(t, passing(60, steady(12), 0, -150), 1)
	b.o.Models = broken{b.store}
	err := b.Run(t.Context())
	if err == nil || err == io.EOF {
		t.Fatalf("got %v; want the failure", err)
	}
	if len(b.verdicts) == 0 {
		t.Fatal("no verdict")
	}
	for _, v := range b.verdicts {
		if v.Label != verdict.NoDecision || !strings.Contains(v.Reason, "forward pass") {
			t.Errorf("verdict %+v", v)
		}
	}
}

// A no_decision is passed on without a model and pixels, and counts nothing in the probation.
func TestNoDecisionIsNoDrift(t *testing.T) {
	b := newBench(t, passing(60, steady(12), 0), 1)
	b.o.Budget = time.Nanosecond
	var got []Judgement
	b.o.Observer.Stored = func(j Judgement) { got = append(got, j) }
	b.o.Log = slog.New(slog.DiscardHandler)
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Verdict.Label != verdict.NoDecision || got[0].Model != nil || got[0].Pix != nil {
		t.Fatalf("%+v", got)
	}
	if shot := b.store.Snapshot(); shot.Trial != nil && shot.Trial.Verdicts != 0 {
		t.Errorf("counted in the probation: %+v", shot.Trial)
	}
}
