package frame

import (
	"testing"

	"tirewatch/vision/isa/isatest"
)

func TestMain(m *testing.M) { isatest.MainSets(m) }
