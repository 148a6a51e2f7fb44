package sparkplug_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"tirewatch/agent/journal"
	"tirewatch/agent/sparkplug"
	"tirewatch/vision/verdict"
)

func Example() {
	dir, err := os.MkdirTemp("", "sparkplug")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	j, err := journal.Open(filepath.Join(dir, "journal.db"), "hamburg/line1/station3")
	if err != nil {
		log.Fatal(err)
	}
	defer j.Close()
	file, _ := sparkplug.OpenSessionFile(filepath.Join(dir, "session"), j.Next()-1)
	node := sparkplug.New(sparkplug.Options{
		Names: sparkplug.Names{Group: "Hamburg", Node: "station3", Device: "camera"},
		Queue: j, SessionFile: file, Overlap: time.Minute,
	})

	now := time.Now()
	will := node.Will(now)
	node.Opening() // CONNECT is sent
	births, _ := node.Begin(sparkplug.Facts{ModelSerial: 7}, now)
	j.Append(&verdict.Verdict{Schema: verdict.SchemaVersion, Time: now, Label: verdict.Normal})
	data, _, _ := node.Next(true, now)
	for _, m := range append([]sparkplug.Message{will}, append(births, *data)...) {
		fmt.Println(m.Topic)
	}
	// Output:
	// spBv1.0/Hamburg/NDEATH/station3
	// spBv1.0/Hamburg/NBIRTH/station3
	// spBv1.0/Hamburg/DBIRTH/station3/camera
	// spBv1.0/Hamburg/DDATA/station3/camera
}
