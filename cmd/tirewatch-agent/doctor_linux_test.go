package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tirewatch/agent/journal"
	"tirewatch/agent/uplink/brokertest"
	"tirewatch/vision/verdict"
)

// TestDoctor runs testdata/doctor/*.txtar, with the files of TestScripts and two brokers: $BROKER
// accepts everybody, $STRICT nobody.
func TestDoctor(t *testing.T) {
	open, strict := brokertest.Start(t), brokertest.Start(t, "allow_anonymous false")
	probe := t.TempDir()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/doctor",
		Setup: func(env *testscript.Env) error {
			env.Setenv("BROKER", open.URL())
			env.Setenv("STRICT", strict.URL())
			return furnish(env.WorkDir)
		},
		Condition: func(name string) (bool, error) {
			if name != "disks" { // whether small disks can be mounted, which needs root
				return false, fmt.Errorf("unknown condition %s", name)
			}
			if err := syscall.Mount("tmpfs", probe, "tmpfs", 0, "size=1m"); err != nil {
				return false, nil
			}
			return true, syscall.Unmount(probe, 0)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// config TEXT...: station.toml with lines appended.
			"config": func(ts *testscript.TestScript, _ bool, args []string) {
				extra := ""
				for _, line := range args {
					extra += line + "\n"
				}
				ts.Check(os.WriteFile(ts.MkAbs("station.toml"), []byte(stationConfig(extra)), 0o644))
			},
			// judged TIME: adds a verdict with that time to the journal.
			"judged": func(ts *testscript.TestScript, _ bool, args []string) {
				at, err := time.Parse(time.RFC3339, args[0])
				ts.Check(err)
				j, err := journal.Open(ts.MkAbs("journal.db"), "plant/line/1")
				ts.Check(err)
				ts.Check(j.Append(&verdict.Verdict{Schema: verdict.SchemaVersion, Time: at, Label: verdict.Normal, Threshold: 0.5}))
				ts.Check(j.Close())
			},
			// disk FOLDER SIZE: mounts a small disk.
			"disk": func(ts *testscript.TestScript, _ bool, args []string) {
				folder := ts.MkAbs(args[0])
				ts.Check(os.Mkdir(folder, 0o755))
				ts.Check(syscall.Mount("tmpfs", folder, "tmpfs", 0, "size="+args[1]))
				ts.Defer(func() { syscall.Unmount(folder, 0) })
			},
			// appears FILE: waits for a file of another process.
			"appears": appears,
			// retained TOPIC: prints the retained message.
			"retained": func(ts *testscript.TestScript, _ bool, args []string) {
				text, err := open.Retained(args[0])
				ts.Check(err)
				fmt.Fprintln(ts.Stdout(), text)
			},
			// mode FILE OCTAL: checks the permissions of a file.
			"mode": func(ts *testscript.TestScript, _ bool, args []string) {
				info, err := os.Stat(ts.MkAbs(filepath.FromSlash(args[0])))
				ts.Check(err)
				if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[1] {
					ts.Fatalf("%s has mode %s; want %s", args[0], got, args[1])
				}
			},
		},
	})
}
