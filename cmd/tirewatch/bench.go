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

	"tirewatch/cmd/internal/cli"
	"tirewatch/vision/bundle"
	"tirewatch/vision/frame"
	"tirewatch/vision/infer"
	"tirewatch/vision/kernel"
)

func newBenchCmd() *cobra.Command {
	runs, threads, asJSON := 300, min(2, runtime.NumCPU()), false
	cmd := &cobra.Command{
		Use:   "bench BUNDLE",
		Short: "Measure the speed of a model on this computer, layer by layer",
		Long: `Runs the network of a bundle on noise and prints the time of each layer and of the whole network: the
fastest run and the median. The fastest run shows the program alone; the median includes what else
the computer was doing. The last line is the preprocessing of a 1920 x 1080 frame.

The clock of the processor is measured with a chain of additions that take one cycle each.
` + kernel.Env + `=NAME selects a kernel; a wrong name lists the kernels of this processor.`,
		Example: `  tirewatch bench monday.tire
  ` + kernel.Env + `=generic tirewatch bench monday.tire --json`,
		Args: cli.Args("BUNDLE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if runs < 1 || threads < 1 {
				return cli.Usagef("--runs and --threads: want 1 or more")
			}
			report, err := bench(args[0], runs, threads)
			if errors.Is(err, kernel.ErrNoBody) {
				err = cli.Hint(err, "unset "+kernel.Env+" to use the fastest one")
			}
			if err != nil {
				return err
			}
			if asJSON {
				return cli.JSON(cmd.OutOrStdout(), report)
			}
			return report.write(cmd.OutOrStdout())
		},
	}
	cmd.Flags().IntVar(&runs, "runs", runs, "runs of the network")
	cmd.Flags().IntVar(&threads, "threads", threads, "also measure this many goroutines that share an image")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, for programs")
	cli.Environment(cmd, kernelVariable)
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
	Layers     []benchTime  `json:"layers"` // with one goroutine
	Networks   []benchTotal `json:"networks"`
	Preprocess benchTime    `json:"preprocess"`
}

type benchTime struct {
	Name     string  `json:"name"`
	MACs     int     `json:"multiply_accumulates,omitempty"` // only over the live region
	MinMS    float64 `json:"min_ms"`
	MedianMS float64 `json:"median_ms"`
	PerCycle float64 `json:"multiply_accumulates_per_cycle,omitempty"` // of the fastest run
}

type benchTotal struct {
	Threads int     `json:"threads"`
	SpeedUp float64 `json:"speed_up"` // against one goroutine, of the fastest runs
	benchTime
}

// measured are the times of a bench.
type measured struct {
	layers                    []infer.LayerTime // of the last run, for names and sizes
	byLayer                   map[string][]time.Duration
	alone, shared, preprocess []time.Duration // shared: by several goroutines
	ghz                       float64
}

func bench(path string, runs, threads int) (*benchReport, error) {
	b, err := readUnverified(path) // the speed does not depend on who signed it
	if err != nil {
		return nil, err
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
	m, err := measure(b, one, many, runs)
	if err != nil {
		return nil, err
	}

	r := &benchReport{File: path, CPU: fmt.Sprintf("%s, %d processors", runtime.GOARCH, runtime.NumCPU()),
		Kernel: one.Kernel(), GHz: m.ghz, Runs: runs, Scratch: one.Scratch(),
		Preprocess: newBenchTime("1920 x 1080 BGR to the network's bytes", 0, m.preprocess, m.ghz)}
	macs := 0
	for _, l := range m.layers {
		macs += l.MACs
		r.Layers = append(r.Layers, newBenchTime(l.Name, l.MACs, m.byLayer[l.Name], m.ghz))
	}
	alone := newBenchTime("network", macs, m.alone, m.ghz)
	r.Networks = []benchTotal{{1, 1, alone}}
	if threads > 1 {
		t := newBenchTime("network", macs, m.shared, m.ghz)
		r.Networks = append(r.Networks, benchTotal{threads, alone.MinMS / t.MinMS, t})
	}
	return r, nil
}

// measure runs everything in turns, so that other work on the computer slows all of it equally.
func measure(b *bundle.Bundle, one, many *infer.Runner, runs int) (*measured, error) {
	rng := rand.New(rand.NewPCG(1, 1))
	noise := func(n int) []byte {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(rng.Uint32())
		}
		return p
	}
	f := &frame.Frame{Pix: noise(1920 * 1080 * 3), Width: 1920, Height: 1080, Stride: 1920 * 3, Format: frame.BGR}
	roi := image.Rect(420, 0, 1500, 1080)
	pix, input := noise(b.Spec.Size()), make([]byte, b.Spec.Size())

	m := &measured{byLayer: map[string][]time.Duration{}}
	for i := range runs {
		times, err := one.Profile(pix)
		if err != nil {
			return nil, err
		}
		for _, l := range times {
			m.byLayer[l.Name] = append(m.byLayer[l.Name], l.Spent)
		}
		m.layers = times
		for range 4 { // back to back, as for a camera that never waits
			if err := clockRun(&m.alone, one, pix); err != nil {
				return nil, err
			}
		}
		for range 4 {
			if err := clockRun(&m.shared, many, pix); err != nil {
				return nil, err
			}
		}
		if i%8 == 0 {
			began := time.Now()
			if err := b.Spec.Apply(input, f, roi); err != nil {
				return nil, err
			}
			m.preprocess = append(m.preprocess, time.Since(began))
			m.ghz = max(m.ghz, measureGHz())
		}
	}
	return m, nil
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

// measureGHz times a chain of operations that each wait for the previous one. Each takes one cycle
// on every processor that we know, whatever its clock is now.
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
	fmt.Fprintf(w, "kernel %s, %s at %.2f GHz, %d KiB scratch memory, %d runs\n\n", r.Kernel, r.CPU, r.GHz,
		r.Scratch>>10, r.Runs)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, v benchTime) {
		fmt.Fprintf(t, "%s\t%.4f\t%.4f\t%.2f\t%.1f\t\n", name, v.MinMS, v.MedianMS, float64(v.MACs)/1e6, v.PerCycle)
	}
	fmt.Fprintln(t, "\tfastest ms\tmedian ms\tmillion MACs\tMACs per cycle\t")
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
