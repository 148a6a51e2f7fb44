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
	"tirewatch/cmd/internal/cli"
	"tirewatch/cmd/internal/cli/progress"
	"tirewatch/trainer/synth"
	"tirewatch/vision/verdict"
)

// demoFlags are the options of the demo.
type demoFlags struct {
	dir    string
	agent  string
	images int
	epochs int
	batch  int
	tires  int
	seed   uint64
}

// The demo succeeds if these shares are reached.
const (
	demoFound = 0.9 // of the tires in the video have a verdict
	demoRight = 0.9 // of these verdicts are right
)

func newDemoCmd() *cobra.Command {
	var f demoFlags
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show all steps from training to verdicts, with drawn tires",
		Long: `Draws a data set, trains a model, quantizes and signs it, starts a broker, and runs the agent on a
video of a belt with new tires. Then it prints each verdict beside the truth. Each step is a
command that is printed as you would type it.

The demo fails if less than 90 % of the tires are found, or less than 90 % of the found tires are
judged right.`,
		Example: `  tirewatch demo
  tirewatch demo --dir demo/ --epochs 40     # keeps the files in demo/`,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd, f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.dir, "dir", "", "keep the files in this folder (default: a temporary folder)")
	fl.StringVar(&f.agent, "agent", "", "the program tirewatch-agent (default: beside this program)")
	fl.IntVar(&f.images, "images", 1400, "number of training images to draw")
	fl.IntVar(&f.epochs, "epochs", 24, "number of epochs to train")
	fl.IntVar(&f.batch, "batch", 32, "images in a batch")
	fl.IntVar(&f.tires, "tires", 24, "number of tires on the belt")
	fl.Uint64Var(&f.seed, "seed", 1, "seed of the tires and of the training")
	cli.Environment(cmd, kernelVariable, cli.Note{Name: "TMPDIR",
		Text: "The folder for the files of the demo without --dir. The default is /tmp."})
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
		{"dataset", "synth", in("tires"), "--view", "side", "--size", "400", "--seed", number(f.seed),
			"--train", number(f.images), "--test", "300"},
		{"train", in("tires"), "--out", in("run"), "--epochs", number(f.epochs), "--batch", number(f.batch),
			"--seed", number(f.seed)},
		{"keygen", in("plant.key")},
		{"quantize", in("run/best.ckpt"), "--calibration", in("tires"), "--limit", "200", "--key", in("plant.key"),
			"-o", in("model.tire")},
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

// demoStep prints a command of this program and runs it.
func demoStep(cmd *cobra.Command, args ...string) error {
	fmt.Fprintf(cmd.OutOrStdout(), "\n$ tirewatch %s\n", strings.Join(args, " "))
	return cli.Execute(cmd.Context(), newRootCmd(), args, cmd.OutOrStdout(), cmd.ErrOrStderr())
}

// findAgent returns the absolute path of the agent.
func findAgent(path string) (string, error) {
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		path = filepath.Join(filepath.Dir(self), "tirewatch-agent")
	}
	if _, err := os.Stat(path); err != nil {
		return "", cli.Hint(fmt.Errorf("find the agent: %w", err),
			"name it with --agent; make build writes both programs to bin/")
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

// demoStation starts a broker and the agent in dir, and returns the verdicts that arrive before the
// agent ends.
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

	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	arrived := make(chan *verdict.Verdict, tires+16)
	// The agent starts after the subscription, so that no verdict is missed.
	if err := demoWatch(ctx, url, arrived); err != nil {
		return nil, err
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

// demoWatch sends the verdicts of all stations to arrived until ctx ends. It returns when the
// subscription is active.
func demoWatch(ctx context.Context, url string, arrived chan<- *verdict.Verdict) error {
	ready, ended := make(chan struct{}, 1), make(chan error, 1)
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
		return nil
	case err := <-ended:
		return fmt.Errorf("watch the demo's broker: %w", err)
	}
}

// grace is how long a verdict may take from the broker to this program after the agent has ended.
const grace = 2 * time.Second

// collect receives verdicts until the agent has ended and the grace is over.
func collect(cmd *cobra.Command, run *exec.Cmd, done <-chan error, arrived <-chan *verdict.Verdict, log *bytes.Buffer,
	tires int, began time.Time) ([]*verdict.Verdict, error) {
	p := progress.New(cmd, "verdicts", tires)
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
			fmt.Fprintf(cmd.OutOrStdout(), "the agent ended after %.1f s, exit code %d\n",
				time.Since(began).Seconds(), run.ProcessState.ExitCode())
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
		return nil, "", fmt.Errorf("start the demo's broker: %w", err)
	}
	s := mochi.New(&mochi.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	err = errors.Join(s.AddHook(new(auth.AllowHook), nil), s.AddListener(listeners.NewNet("demo", l)), s.Serve())
	if err != nil {
		return nil, "", fmt.Errorf("start the demo's broker: %w", err)
	}
	return s, "mqtt://" + l.Addr().String(), nil
}

// demoCompare prints the truth of each tire beside its verdict, and fails if the shares are not
// reached.
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
		mark := "wrong"
		if string(v.Label) == t.Label {
			mark = ""
			right++
		}
		fmt.Fprintf(out, "%5d  %-7s  %-7s  %11.4f  %6d  %s\n", t.Index+1, t.Label, v.Label, v.Probability,
			len(v.Votes), mark)
	}
	n, extra := len(truth.Tires), len(verdicts)-found
	fmt.Fprintf(out, "\n%d tires: %d found, %d of them judged right, %d verdicts without a tire\n", n, found, right,
		extra)
	if float64(found) < demoFound*float64(n) || float64(right) < demoRight*float64(found) {
		return fmt.Errorf("demo: want %.0f %% of the tires found and %.0f %% of these judged right", 100*demoFound,
			100*demoRight)
	}
	return nil
}

// showsTire reports whether the verdict's frames are those in which the tire passed. Frames of a
// source count from 1, frames of the truth from 0.
func showsTire(v *verdict.Verdict, t synth.TruthTire) bool {
	for _, vote := range v.Votes {
		if at := int(vote.Frame) - 1; at < t.FirstFrame-1 || at > t.LastFrame+1 {
			return false
		}
	}
	return len(v.Votes) > 0
}
