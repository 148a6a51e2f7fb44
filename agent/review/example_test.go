package review_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"tirewatch/agent/review"
	"tirewatch/vision/cut"
	"tirewatch/vision/verdict"
)

func Example() {
	dir, err := os.MkdirTemp("", "crops")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	review.MakeFolders(dir)

	// the agent keeps the crop of an uncertain verdict
	v := verdict.Verdict{Label: verdict.Normal, Probability: 0.4, Threshold: 0.5}
	why := review.Policy{Station: "hamburg/line1/station3", Band: 2}.Why(&v, 12)
	png, _ := review.Encode(make([]byte, 9), 3, review.Of(&v, "hamburg/line1/station3", 12, why))
	os.WriteFile(filepath.Join(dir, review.FileName(12)), png, 0o640)

	// a person labels it
	q := review.Open(dir, "hamburg/line1/station3", cut.Tire)
	waiting, _ := q.Next(10)
	fmt.Println(waiting[0].Seq, waiting[0].Why)
	q.Label(12, review.Crack)
	counts, _ := q.Count()
	fmt.Println(counts.Waiting, counts.Crack)
	// Output:
	// 12 [uncertain]
	// 0 1
}
