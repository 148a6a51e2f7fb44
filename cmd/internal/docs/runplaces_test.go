package docs

import (
	"crypto/ed25519"
	"fmt"
	"image"
	"image/draw"
	"os"
	"path/filepath"
	"time"

	"tirewatch/agent/journal"
	"tirewatch/agent/review"
	"tirewatch/trainer/synth"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/graph"
	"tirewatch/vision/verdict"
)

// The station of the documents.
const (
	stationID    = "hamburg/line1/station3"
	stationTopic = "tirewatch/" + stationID
)

// furnished prepares the folder of a document: what the document tells its reader to bring.
var furnished = map[string]func(*place){
	// Photographs. The station has the model that the document makes, as its hardware block says.
	"README.md": func(p *place) {
		p.photographs("photos", 20, wholeRims)
		p.newPhotograph()
		p.stationToml(`initial = "first.tire"`)
	},
	// Photographs, some of another line, and a station that works with the first model and has kept
	// pictures of sixteen hours.
	"docs/photographs.md": func(p *place) {
		p.photographs("photos", 20, wholeRims)
		p.photographs("line3", 12, 2)
		p.newPhotograph()
		p.stationToml(`initial = "first.tire"`)
		p.keptPictures(16)
	},
	// The bundle of the plant, and a station that works with an older one.
	"docs/operations.md": func(p *place) {
		p.photographs("photos", 4, 1)
		private := p.stick()
		p.check(bundle.Write(filepath.Join(p.dir, "older.tire"), bundletest.Bundle(*graph.Thesis(), 6), private))
		p.stationToml(`initial = "older.tire"`)
	},
	// A stick with the public key and the first model, and photographs that play the camera.
	"docs/station.md": func(p *place) {
		p.photographs("photos", 4, 1)
		p.stick()
	},
}

func (p *place) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// wholeRims is a seed with which `dataset cut` finds the rim of each tire.
const wholeRims = 7

// photographs draws n whole tires into dir/crack and dir/normal.
func (p *place) photographs(dir string, n int, seed uint64) {
	p.t.Helper()
	drawn := filepath.Join(p.t.TempDir(), "drawn")
	o := synth.Options{View: synth.Side, Size: 300, Seed: seed, Train: n, CrackFraction: 0.5}
	p.check(synth.WriteDataset(p.t.Context(), drawn, o, nil))
	p.check(os.CopyFS(filepath.Join(p.dir, dir), os.DirFS(filepath.Join(drawn, "training"))))
}

// newPhotograph draws a tire that is in no data set.
func (p *place) newPhotograph() {
	p.t.Helper()
	p.photographs("new", 2, 3)
	all, err := filepath.Glob(filepath.Join(p.dir, "new", "crack", "*.jpg"))
	if err != nil || len(all) == 0 {
		p.t.Fatalf("no new photograph: %v", err)
	}
	p.check(os.Rename(all[0], filepath.Join(p.dir, "new.jpg")))
	p.check(os.RemoveAll(filepath.Join(p.dir, "new")))
}

// stationToml configures a station that looks at the photographs again and again and trusts the key
// that the document makes. model is a line of that section.
func (p *place) stationToml(model string) {
	p.t.Helper()
	p.check(os.WriteFile(filepath.Join(p.dir, "station.toml"), fmt.Appendf(nil, `[station]
site = "hamburg"
line = "line1"
name = "station3"
[camera]
source = "folder:photos/crack"
loop = true
realtime = true
[model]
keys = ["plant.key.pub"]
dir = "models"
%s
[journal]
path = "journal.db"
[mqtt]
broker = %q
[metrics]
listen = ""
[page]
listen = ""
[log]
level = "warn"
`, model, p.broker.URL()), 0o644))
}

// keptPictures fills the journal as a station does: one rejected tire in each of the last n hours.
func (p *place) keptPictures(n int) {
	p.t.Helper()
	j, err := journal.Open(filepath.Join(p.dir, "journal.db"), stationID)
	p.check(err)
	for i := range n {
		v := &verdict.Verdict{
			Schema: verdict.SchemaVersion, Station: stationID, Time: time.Now().Add(time.Duration(i-n) * time.Hour),
			Label: verdict.Crack, Reject: true, Probability: 0.6, Threshold: 0.5, ModelSerial: 1,
		}
		drawn := synth.Draw(synth.Side, 379, 4, i, i%2 == 0)
		grey := image.NewGray(drawn.Bounds())
		draw.Draw(grey, grey.Rect, drawn, image.Point{}, draw.Src)
		note := review.Of(v, stationID, j.Next(), []review.Reason{review.Rejected})
		data, err := review.Encode(grey.Pix, grey.Stride, note)
		p.check(err)
		v.Crop, err = j.SaveCrop(data)
		p.check(err)
		p.check(j.Append(v))
	}
	p.check(j.Close())
}

// stick writes the key pair of the plant and a model with random weights.
func (p *place) stick() ed25519.PrivateKey {
	p.t.Helper()
	key := filepath.Join(p.dir, "plant.key")
	_, err := bundle.GenerateKey(key)
	p.check(err)
	private, err := bundle.ReadPrivateKey(key)
	p.check(err)
	p.check(bundle.Write(filepath.Join(p.dir, "first.tire"), bundletest.Bundle(*graph.Thesis(), 7), private))
	return private
}
