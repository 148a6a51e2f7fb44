package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/spf13/cobra"

	"tirewatch/agent/config"
	"tirewatch/agent/message"
	"tirewatch/agent/uplink"
	"tirewatch/trainer/synth"
	"tirewatch/vision/verdict"
)

// demoFlags size the demonstration.
type demoFlags struct {
	dir    string
	agent  string
	images int
	epochs int
	batch  int
	tires  int
	seed   uint64
}

// What the demonstration must reach to succeed, shares of the tires.
const (
	demoFound = 0.9 // of the tires on the clip have a verdict
	demoRight = 0.9 // of those verdicts are right
)

func newDemoCmd() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole way from training to verdicts on drawn tires",
		Long: `Draws a data set, trains, quantizes, signs, starts a broker and the agent on a video of a belt with tires that
were never trained on, and prints the verdicts beside the truth. Each step is a command that is shown as you
would type it. It fails when less than 90 % of the tires are found, or less than 90 % of those judged right.`,
		Example: `  tirewatch demo
  tirewatch demo --dir demo/ --epochs 40     # keeps its files, to look at`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd, f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.dir, "dir", "", "folder for its files, which stay (default a temporary one)")
	fl.StringVar(&f.agent, "agent", "", "the tirewatch-agent program (default beside this one)")
	fl.IntVar(&f.images, "images", 1400, "training images to draw")
	fl.IntVar(&f.epochs, "epochs", 24, "epochs to train")
	fl.IntVar(&f.batch, "batch", 32, "images per step")
	fl.IntVar(&f.tires, "tires", 24, "tires on the belt")
	fl.Uint64Var(&f.seed, "seed", 1, "another number gives other tires and another training")
	return cmd
}

func runDemo(cmd *cobra.Command, f demoFlags) error {
	agent, err := findAgent(f.agent)
	if err != nil {
		return err
	}
	if f.dir == "" {
		if f.dir, err = os.MkdirTemp("", "tirewatch-demo-"); err != nil {
			return err
		}
		defer os.RemoveAll(f.dir)
	} else if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(f.dir, name) }
	number := func(n any) string { return fmt.Sprint(n) }
	for _, step := range [][]string{
		{"dataset", "synth", in("tires"), "--view", "side", "--size", "400", "--seed", number(f.seed), "--train", number(f.images), "--test", "300"},
		{"train", in("tires"), "--out", in("run"), "--epochs", number(f.epochs), "--batch", number(f.batch), "--seed", number(f.seed)},
		{"keygen", in("plant.key")},
		{"quantize", in("run/best.ckpt"), "--calibration", in("tires"), "--limit", "200", "--key", in("plant.key"), "-o", in("model.tire")},
		{"dataset", "synth", "--video", in("belt.avi"), "--tires", number(f.tires), "--seed", number(f.seed + 1000)},
	} {
		if err := demoStep(cmd, step...); err != nil {
			return err
		}
	}
	truth, err := synth.ReadTruth(synth.TruthPath(in("belt.avi")))
	if err != nil {
		return err
	}
	verdicts, err := demoStation(cmd, agent, f.dir, len(truth.Tires))
	if err != nil {
		return err
	}
	return demoCompare(cmd.OutOrStdout(), truth, verdicts)
}

// demoStep shows a command of this program and runs it.
func demoStep(cmd *cobra.Command, args ...string) error {
	fmt.Fprintf(cmd.OutOrStdout(), "\n$ tirewatch %s\n", strings.Join(args, " "))
	step := newRootCmd()
	step.SetArgs(args)
	step.SetOut(cmd.OutOrStdout())
	step.SetErr(cmd.ErrOrStderr())
	return step.ExecuteContext(cmd.Context())
}

// findAgent names the agent's program.
func findAgent(path string) (string, error) {
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		path = filepath.Join(filepath.Dir(self), "tirewatch-agent")
	}
	if _, err := os.Stat(path); err != nil {
		return "", withHint(fmt.Errorf("the agent's program: %w", err), "make build puts both programs into bin/")
	}
	return filepath.Abs(path)
}

// demoConfig is the whole configuration that a station needs.
var demoConfig = template.Must(template.New("").Parse(`[station]
site = "demo"
line = "belt"
name = "station"

[camera]
source = "file:belt.avi"

[model]
keys = ["plant.key.pub"]
initial = "model.tire"
dir = "models"

[journal]
path = "journal.db"

[mqtt]
broker = "{{.}}"
`))

// demoStation starts a broker and the agent in dir, and gives the verdicts that arrive until the
// agent has ended.
func demoStation(cmd *cobra.Command, agent, dir string, tires int) ([]*verdict.Verdict, error) {
	broker, url, err := demoBroker()
	if err != nil {
		return nil, err
	}
	defer broker.Close()
	var text bytes.Buffer
	if err := demoConfig.Execute(&text, url); err != nil {
		return nil, err
	}
	station := filepath.Join(dir, "station.toml")
	if err := os.WriteFile(station, text.Bytes(), 0o644); err != nil {
		return nil, err
	}

	// Who watches first misses nothing: the agent starts when the subscription stands.
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	ready, ended := make(chan struct{}, 1), make(chan error, 1)
	arrived := make(chan *verdict.Verdict, tires+16)
	go func() {
		ended <- uplink.Watch(ctx, uplink.WatchOptions{
			MQTT: config.MQTT{Broker: url, Root: "tirewatch"}, Station: message.AllStations,
			Notice: func(string) {
				select {
				case ready <- struct{}{}:
				default:
				}
			},
		}, func(_ string, v *verdict.Verdict) {
			select {
			case arrived <- v:
			case <-ctx.Done():
			}
		})
	}()
	select {
	case <-ready:
	case err := <-ended:
		return nil, fmt.Errorf("watch the demo's broker: %w", err)
	}

	fmt.Fprintf(cmd.OutOrStdout(), "\n$ tirewatch-agent run --config %s     # publishes to %s\n", station, url)
	began := time.Now()
	run := exec.CommandContext(ctx, agent, "run", "--config", station)
	var log bytes.Buffer
	run.Stderr = &log
	done := make(chan error, 1)
	if err := run.Start(); err != nil {
		return nil, fmt.Errorf("start the agent: %w", err)
	}
	go func() { done <- run.Wait() }()
	return collect(cmd, run, done, arrived, &log, tires, began)
}

// grace is how long a verdict may take from the broker to this program after the agent has ended.
const grace = 2 * time.Second

// collect receives verdicts until the agent has ended and no more are under way.
func collect(cmd *cobra.Command, run *exec.Cmd, done <-chan error, arrived <-chan *verdict.Verdict, log *bytes.Buffer, tires int, began time.Time) ([]*verdict.Verdict, error) {
	p := newProgress(cmd, "verdicts", tires)
	defer p.Done()
	bySeq := map[uint64]*verdict.Verdict{}
	var verdicts []*verdict.Verdict
	var late <-chan time.Time
	for {
		select {
		case v := <-arrived:
			if bySeq[v.Seq] == nil { // delivery is at least once
				bySeq[v.Seq] = v
				verdicts = append(verdicts, v)
				p.Set(len(verdicts))
			}
		case err := <-done:
			if err != nil {
				return nil, fmt.Errorf("the agent failed: %w\n%s", err, log.String())
			}
			late = time.After(grace)
		case <-late:
			fmt.Fprintf(cmd.OutOrStdout(), "the agent ended after %.1f s, exit code %d\n", time.Since(began).Seconds(), run.ProcessState.ExitCode())
			return verdicts, nil
		case <-cmd.Context().Done():
			return nil, cmd.Context().Err()
		}
	}
}

// demoBroker starts an embedded broker on a free port of the loopback interface.
func demoBroker() (*mochi.Server, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", fmt.Errorf("the demo's broker: %w", err)
	}
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	err = errors.Join(s.AddHook(new(auth.AllowHook), nil), s.AddListener(listeners.NewNet("demo", l)), s.Serve())
	if err != nil {
		return nil, "", fmt.Errorf("the demo's broker: %w", err)
	}
	return s, "mqtt://" + l.Addr().String(), nil
}

// demoCompare prints each tire of the clip beside its verdict and says whether the demonstration
// succeeded.
func demoCompare(out io.Writer, truth synth.Truth, verdicts []*verdict.Verdict) error {
	fmt.Fprintf(out, "\n%5s  %-7s  %-7s  %11s  %6s  %s\n", "tire", "truth", "verdict", "probability", "frames", "")
	used := map[*verdict.Verdict]bool{}
	found, right := 0, 0
	for _, t := range truth.Tires {
		var v *verdict.Verdict
		for _, c := range verdicts {
			if !used[c] && showsTire(c, t) {
				v = c
				break
			}
		}
		if v == nil {
			fmt.Fprintf(out, "%5d  %-7s  %-7s\n", t.Index+1, t.Label, "none")
			continue
		}
		used[v] = true
		found++
		mark := "WRONG"
		if string(v.Label) == t.Label {
			mark = ""
			right++
		}
		fmt.Fprintf(out, "%5d  %-7s  %-7s  %11.4f  %6d  %s\n", t.Index+1, t.Label, v.Label, v.Probability, len(v.Votes), mark)
	}
	n, extra := len(truth.Tires), len(verdicts)-found
	fmt.Fprintf(out, "\n%d tires: %d found, %d of them judged right, %d verdicts without a tire\n", n, found, right, extra)
	if float64(found) < demoFound*float64(n) || float64(right) < demoRight*float64(found) {
		return fmt.Errorf("the demo fell short: want %.0f %% found and %.0f %% of those right", 100*demoFound, 100*demoRight)
	}
	return nil
}

// showsTire tells whether the verdict's frames are those in which the tire passed. Frames of a
// source count from 1, those of a truth from 0.
func showsTire(v *verdict.Verdict, t synth.TruthTire) bool {
	for _, vote := range v.Votes {
		if at := int(vote.Frame) - 1; at < t.FirstFrame-1 || at > t.LastFrame+1 {
			return false
		}
	}
	return len(v.Votes) > 0
}
