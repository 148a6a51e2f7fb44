package web_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"image/jpeg"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tirewatch/agent/inspection"
	"tirewatch/trainer/synth"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/cut"
	"tirewatch/vision/frame"
	"tirewatch/vision/graph"
	"tirewatch/vision/infer"
	"tirewatch/vision/locate"
	"tirewatch/vision/preprocess"
)

// reel is an endless film in BGR, the format of OpenCV, that plays as fast as it is read.
type reel struct {
	frames []*frame.Frame
	shown  frame.Frame
	count  atomic.Uint64
}

// film makes a synthetic film of a belt with tires.
func film(t testing.TB) *reel {
	t.Helper()
	path := filepath.Join(t.TempDir(), "belt.avi")
	if _, err := synth.WriteClip(t.Context(), path, synth.ClipOptions{Tires: 3, Seed: 3, CrackFraction: 0.3, Width: 1280, Height: 720}, nil); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := &reel{}
	for i := bytes.Index(data, []byte("movi")) + 4; i+8 < len(data) && string(data[i:i+4]) == "00dc"; {
		n := int(binary.LittleEndian.Uint32(data[i+4:]))
		img, err := jpeg.Decode(bytes.NewReader(data[i+8 : i+8+n]))
		if err != nil {
			t.Fatal(err)
		}
		rgba := frame.FromImage(img)
		f := &frame.Frame{Width: rgba.Width, Height: rgba.Height, Stride: 3 * rgba.Width, Format: frame.BGR, Pix: make([]byte, 3*rgba.Width*rgba.Height)}
		for k := range rgba.Width * rgba.Height {
			f.Pix[3*k], f.Pix[3*k+1], f.Pix[3*k+2] = rgba.Pix[4*k+2], rgba.Pix[4*k+1], rgba.Pix[4*k]
		}
		r.frames = append(r.frames, f)
		i += 8 + n + n%2
	}
	return r
}

func (r *reel) Next(ctx context.Context) (*frame.Frame, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n := r.count.Add(1)
	r.shown = *r.frames[int(n)%len(r.frames)]
	r.shown.Seq, r.shown.Time = n, time.Now().UTC()
	return &r.shown, nil
}

func (r *reel) Close() error { return nil }

// BenchmarkViewer compares the frame rate of a station with the full network, in turns without and
// with a viewer of its page. The results are medians of 80 rounds. ratio is the frame rate with a
// viewer to the rate without one. control is the ratio of two turns without a viewer; a busy
// machine changes it too. work-ratio is the processor time of a frame without a viewer to that with
// one, including the time of the viewer itself: the throughput that is left when no core is idle.
// It varies less than ratio. The benchmark fails below 95 %.
func BenchmarkViewer(b *testing.B) {
	p := bare(b, nil)
	data, err := bundle.Encode(whole(b), bundletest.Key(1))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := p.store.Install(data); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	r := film(b)
	station := inspection.New(inspection.Options{
		Source: r, Locator: locate.NewRound(locate.RoundOptions{}), Models: p.store, Journal: p.journal, Frames: 5, Cut: cut.Options{Margin: 0.02},
		Log: slog.New(slog.DiscardHandler),
		Observer: inspection.Observer{
			Located: p.Show,
			Stored:  func(x inspection.Judgement) { p.Judged(x.Verdict, x.Pix, x.Model.Bundle.Spec.Width) },
		},
	})
	ended := make(chan error, 1)
	go func() { ended <- station.Run(ctx) }()

	const turn, rounds = 300 * time.Millisecond, 80
	measure := func() (perSecond, cpu float64) {
		begin, start, used := r.count.Load(), time.Now(), processor(b)
		time.Sleep(turn)
		n := float64(r.count.Load() - begin)
		return n / time.Since(start).Seconds(), float64(processor(b)-used) / n
	}
	time.Sleep(turn)
	var rate, ratios, control, work []float64
	pictures := 0
	for range rounds {
		alone, cpuAlone := measure()
		looking, leave := context.WithCancel(ctx)
		left := make(chan int)
		go func() { left <- look(looking, p.url) }()
		time.Sleep(turn / 4) // until the first image is there
		watched, cpuWatched := measure()
		leave()
		pictures += <-left
		time.Sleep(turn / 4) // until its last request has ended
		again, cpuAgain := measure()
		mean := (alone + again) / 2 // so that other load on the machine affects both
		rate, ratios, control = append(rate, mean), append(ratios, watched/mean), append(control, again/alone)
		work = append(work, (cpuAlone+cpuAgain)/2/cpuWatched)
	}
	stop()
	if err := <-ended; err != nil {
		b.Error(err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(rate), "frames/s")
	b.ReportMetric(float64(pictures)/(rounds*(turn+turn/4).Seconds()), "pictures/s")
	b.ReportMetric(median(control), "control")
	b.ReportMetric(median(ratios), "ratio")
	b.ReportMetric(median(work), "work-ratio")
	if kept := median(work); kept < 0.95 {
		b.Errorf("with a viewer %.1f %% of the processor's time goes into frames, want 95 %%", 100*kept)
	}
}

// processor returns the processor time that this process has used, ns.
func processor(b *testing.B) int64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// look requests what the page's script requests until ctx ends, and returns the number of images.
func look(ctx context.Context, url string) (pictures int) {
	get := func(path string) (http.Header, error) {
		r, err := http.NewRequestWithContext(ctx, "GET", url+"/"+path, nil)
		if err != nil {
			return nil, err
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return nil, err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s", path, answer.Status)
		}
		_, err = io.Copy(io.Discard, answer.Body)
		return answer.Header, err
	}
	for _, path := range []string{"api/state", "api/verdicts?limit=12"} {
		if _, err := get(path); err != nil {
			return 0
		}
	}
	var view struct{ Picture uint64 }
	for {
		header, err := get(fmt.Sprintf("api/live?after=%d", view.Picture))
		if err == nil {
			err = json.Unmarshal([]byte(header.Get("Tirewatch-View")), &view)
		}
		if err != nil {
			return pictures
		}
		pictures++
	}
}

// whole returns a bundle of the full network with random weights.
func whole(t testing.TB) *bundle.Bundle {
	t.Helper()
	b := bundletest.Small(1)
	b.Model = bundletest.Model(*graph.Thesis(), 1)
	b.Spec = preprocess.Thesis()
	r, err := infer.NewRunner(&b.Model)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b.Golden {
		b.Golden[i].Pix = make([]byte, b.Spec.Size())
		for k := range b.Golden[i].Pix {
			b.Golden[i].Pix[k] = byte(k * (i + 3) >> 4)
		}
		if b.Golden[i].Sum, err = r.Run(b.Golden[i].Pix); err != nil {
			t.Fatal(err)
		}
	}
	return b
}
