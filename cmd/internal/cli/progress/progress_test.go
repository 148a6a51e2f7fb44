package progress_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"

	"tirewatch/cmd/internal/cli/progress"
)

// Without a terminal there is a line every ten seconds, and one at the end.
func TestPlainLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		cmd := &cobra.Command{}
		cmd.SetErr(&out)
		advance, done := progress.Follow(cmd, "reading images")
		for i := range 8 {
			advance(i+1, 8)
			time.Sleep(4 * time.Second)
		}
		done()
		if want := "reading images: 4 of 8\nreading images: 7 of 8\nreading images: 8 of 8, done\n"; out.String() != want {
			t.Errorf("got\n%swant\n%s", &out, want)
		}
	})
}

func TestNothingToShow(t *testing.T) {
	var none *progress.Display
	none.Clear()
	none.Done()
}
