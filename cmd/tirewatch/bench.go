package main

import (
	"errors"
	"fmt"
	"image"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/vision/frame"
	"tirewatch/vision/infer"
	"tirewatch/vision/kernel"
)

func newBenchCmd() *cobra.Command {
	runs, threads, asJSON := 300, min(2, runtime.NumCPU()), false
	cmd := &cobra.Command{
		Use:   "bench BUNDLE",
		Short: "Measure a model's speed on this computer, layer by layer",
		Long: `Runs a bundle's network on noise and prints what every layer and the whole take: the fastest run and
the median. The fastest run says what the program can do, the median what else the computer
was doing. Beside them stands the preprocessing of a 1920 x 1080 frame.

The clock of the processor is measured by a chain of dependent additions, one a cycle.
` + kernel.Env + `=NAME in the environment forces a kernel; a wrong name lists those that this processor has.`,
		Example: `  tirewatch bench monday.tire
  ` + kernel.Env + `=generic tirewatch bench monday.tire --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if runs < 1 || threads < 1 {
				return &usageError{errors.New("--runs and --threads start at 1")}
			}
			report, err := bench(args[0], runs, threads)
			if errors.Is(err, kernel.ErrNoBody) {
				err = withHint(err, "unset "+kernel.Env+" for the fastest one")
			}
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(cmd, report)
			}
			return report.write(cmd.OutOrStdout())
		},
	}
	cmd.Flags().IntVar(&runs, "runs", runs, "runs of the network")
	cmd.Flags().IntVar(&threads, "threads", threads, "goroutines that share an image, measured beside one alone")
	cmd.Flags().BoolVar(&asJSON, "json", false, "for programs")
	return cmd
}

// benchReport is what bench prints.
type benchReport struct {
	File       string       `json:"file"`
	CPU        string       `json:"cpu"` // architecture and number of processors
	Kernel     string       `json:"kernel"`
	GHz        float64      `json:"ghz"` // measured
	Runs       int          `json:"runs"`
	Scratch    int          `json:"scratch_bytes"`
	Layers     []benchTime  `json:"layers"` // by one goroutine
	Networks   []benchTotal `json:"networks"`
	Preprocess benchTime    `json:"preprocess"`
}

type benchTime struct {
	Name     string  `json:"name"`
	MACs     int     `json:"multiply_accumulates,omitempty"` // over the live region only
	MinMS    float64 `json:"min_ms"`
	MedianMS float64 `json:"median_ms"`
	PerCycle float64 `json:"multiply_accumulates_per_cycle,omitempty"` // of the fastest run
}

type benchTotal struct {
	Threads int     `json:"threads"`
	SpeedUp float64 `json:"speed_up"` // over one goroutine, by the fastest runs
	benchTime
}

func bench(path string, runs, threads int) (*benchReport, error) {
	b, err := readUnverified(path) // a signature says nothing about speed
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(1, 1))
	noise := func(n int) []byte {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
		return p
	}
	one, err := infer.NewRunner(&b.Model)
	if err != nil {
		return nil, err
	}
	many, err := infer.NewRunner(&b.Model, infer.Threads(threads))
	if err != nil {
		return nil, err
	}
	defer many.Close()
	f := &frame.Frame{Pix: noise(1920 * 1080 * 3), Width: 1920, Height: 1080, Stride: 1920 * 3, Format: frame.BGR}
	roi := image.Rect(420, 0, 1500, 1080)
	pix, input := noise(b.Spec.Size()), make([]byte, b.Spec.Size())

	// The measurements take turns, so that other work on the computer falls on all of them.
	var whole, shared, before []time.Duration
	var names []infer.LayerTime
	layers, macs, ghz := make(map[string][]time.Duration), 0, 0.0
	for i := range runs {
		times, err := one.Profile(pix)
		if err != nil {
			return nil, err
		}
		for _, l := range times {
			layers[l.Name] = append(layers[l.Name], l.Spent)
		}
		names = times
		for range 4 { // back to back, as from a camera that waits for nobody
			if err := clockRun(&whole, one, pix); err != nil {
				return nil, err
			}
		}
		for range 4 {
			if err := clockRun(&shared, many, pix); err != nil {
				return nil, err
			}
		}
		if i%8 == 0 {
			began := time.Now()
			if err := b.Spec.Apply(input, f, roi); err != nil {
				return nil, err
			}
			before = append(before, time.Since(began))
			ghz = max(ghz, measureGHz())
		}
	}

	r := &benchReport{File: path, CPU: fmt.Sprintf("%s, %d processors", runtime.GOARCH, runtime.NumCPU()), Kernel: one.Kernel(),
		GHz: ghz, Runs: runs, Scratch: one.Scratch(), Preprocess: newBenchTime("1920 x 1080 BGR to the network's bytes", 0, before, ghz)}
	for _, l := range names {
		macs += l.MACs
		r.Layers = append(r.Layers, newBenchTime(l.Name, l.MACs, layers[l.Name], ghz))
	}
	alone := newBenchTime("network", macs, whole, ghz)
	r.Networks = []benchTotal{{1, 1, alone}}
	if threads > 1 {
		t := newBenchTime("network", macs, shared, ghz)
		r.Networks = append(r.Networks, benchTotal{threads, alone.MinMS / t.MinMS, t})
	}
	return r, nil
}

func clockRun(times *[]time.Duration, r *infer.Runner, pix []byte) error {
	began := time.Now()
	_, err := r.Run(pix)
	*times = append(*times, time.Since(began))
	return err
}

func newBenchTime(name string, macs int, times []time.Duration, ghz float64) benchTime {
	slices.Sort(times)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	t := benchTime{Name: name, MACs: macs, MinMS: ms(times[0]), MedianMS: ms(times[len(times)/2])}
	if macs > 0 && times[0] > 0 {
		t.PerCycle = float64(macs) / float64(times[0].Nanoseconds()) / ghz
	}
	return t
}

// measureGHz times a chain of operations that each wait for the one before: one cycle each on every
// processor that we know, whatever clock it runs at now.
func measureGHz() float64 {
	const rounds, ops = 2000, 16
	x, a, b := rand.Uint64(), rand.Uint64(), rand.Uint64()
	began := time.Now()
	for range rounds {
		x = (x + a) ^ b
		x = (x + b) ^ a
		x = (x + a) ^ b
		x = (x + b) ^ a
		x = (x + a) ^ b
		x = (x + b) ^ a
		x = (x + a) ^ b
		x = (x + b) ^ a
	}
	d := time.Since(began)
	runtime.KeepAlive(x)
	return rounds * ops / float64(d.Nanoseconds())
}

func (r *benchReport) write(w io.Writer) error {
	fmt.Fprintf(w, "kernel %s, %s at %.2f GHz, %d KiB of scratch memory, %d runs\n\n", r.Kernel, r.CPU, r.GHz, r.Scratch>>10, r.Runs)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, v benchTime) {
		fmt.Fprintf(t, "%s\t%.4f\t%.4f\t%.2f\t%.1f\t\n", name, v.MinMS, v.MedianMS, float64(v.MACs)/1e6, v.PerCycle)
	}
	fmt.Fprintln(t, "\tfastest ms\tmedian ms\tmillion MACs\tMACs a cycle\t")
	for _, l := range r.Layers {
		row(l.Name, l)
	}
	for _, n := range r.Networks {
		name := "network"
		if n.Threads > 1 {
			name = fmt.Sprintf("%d threads, %.2f times as fast", n.Threads, n.SpeedUp)
		}
		row(name, n.benchTime)
	}
	fmt.Fprintf(t, "preprocess 1920 x 1080\t%.4f\t%.4f\t\t\t\n", r.Preprocess.MinMS, r.Preprocess.MedianMS)
	return t.Flush()
}
