package main

import (
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tirewatch/agent/journal"
	"tirewatch/cmd/internal/cli"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"tirewatch-agent": func() { cli.Main(newRootCmd()) },
	})
}

// TestScripts runs testdata/*.txtar. Each starts with a key pair (plant.key, plant.key.pub), a
// bundle (model.tire, serial 7), one with a wrong golden sum (sick.tire), a folder of five images
// (tires) and a configuration that plays it without a broker (station.toml).
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: func(env *testscript.Env) error { return furnish(env.WorkDir) },
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"appears": appears,
			// verdicts N: checks how many verdicts the journal has.
			"verdicts": func(ts *testscript.TestScript, _ bool, args []string) {
				j, err := journal.Open(ts.MkAbs("journal.db"), "plant/line/1")
				ts.Check(err)
				defer j.Close()
				all, err := j.Recent(1000)
				ts.Check(err)
				if got := fmt.Sprint(len(all)); got != args[0] {
					ts.Fatalf("%s verdicts in the journal, want %s", got, args[0])
				}
			},
		},
	})
}

// appears FILE: waits for a file of a running agent.
func appears(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not appear", args[0])
		}
	}
}

// furnish writes the files of a station to a folder.
func furnish(dir string) error {
	key := filepath.Join(dir, "plant.key")
	if _, err := bundle.GenerateKey(key); err != nil {
		return err
	}
	private, err := bundle.ReadPrivateKey(key)
	if err != nil {
		return err
	}
	if err := bundle.Write(filepath.Join(dir, "model.tire"), bundletest.Small(7), private); err != nil {
		return err
	}
	if err := bundle.Write(filepath.Join(dir, "three.tire"), bundletest.Three(7, 0.2, 0.8), private); err != nil {
		return err
	}
	sick := bundletest.Small(8)
	sick.Golden[1].Sum++
	if err := bundle.Write(filepath.Join(dir, "sick.tire"), sick, private); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "tires"), 0o755); err != nil {
		return err
	}
	for i := range 5 {
		if err := writeImage(filepath.Join(dir, "tires", fmt.Sprintf("%d.png", i)), i); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "station.toml"), []byte(stationConfig("")), 0o644)
}

// stationConfig is a configuration that plays the folder tires, with extra appended.
func stationConfig(extra string) string {
	return `[station]
site = "plant"
line = "line"
name = "1"
[camera]
source = "folder:tires"
[model]
keys = ["plant.key.pub"]
dir = "models"
initial = "model.tire"
[journal]
path = "journal.db"
` + extra
}

func writeImage(path string, n int) error {
	img := image.NewGray(image.Rect(0, 0, 80, 60))
	for i := range img.Pix {
		img.Pix[i] = uint8(i*(n+1) + i/80)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := png.Encode(f, img); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
