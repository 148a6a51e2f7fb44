package journal_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"tirewatch/agent/journal"
	"tirewatch/vision/verdict"
)

func Example() {
	dir, err := os.MkdirTemp("", "journal")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	j, err := journal.Open(filepath.Join(dir, "journal.db"), "hamburg/line1/station3")
	if err != nil {
		log.Fatal(err)
	}
	defer j.Close()

	v := verdict.Verdict{Schema: verdict.SchemaVersion, Time: time.Now(), Label: verdict.Normal}
	if err := j.Append(&v); err != nil { // after that it survives a power cut
		log.Fatal(err)
	}
	waiting, _, _ := j.Depth()
	fmt.Println(v.Seq, waiting)

	j.MarkAcked(v.Seq) // the broker has it
	waiting, _, _ = j.Depth()
	fmt.Println(v.Seq, waiting)
	// Output:
	// 1 1
	// 1 0
}
