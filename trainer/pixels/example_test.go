package pixels_test

import (
	"fmt"
	"log"
	"os"

	"tirewatch/trainer/pixels"
)

// Two images of 4 bytes, of which only one fits in memory: the other is in a file without a name.
func ExampleStore() {
	s := pixels.NewStore(os.TempDir(), 4, 2, 4)
	defer s.Close()
	for _, pix := range [][]byte{{1, 2, 3, 4}, {5, 6, 7, 8}} {
		im, err := s.Put(pix)
		if err != nil {
			log.Fatal(err)
		}
		loaded, err := im.Load(nil)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(loaded)
	}
	// Output:
	// [1 2 3 4]
	// [5 6 7 8]
}
