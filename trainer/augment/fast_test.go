package augment

import "testing"

func TestInside(t *testing.T) {
	for p := -12; p <= 12; p++ {
		for d := -5; d <= 5; d++ {
			for limit := range 8 {
				x0, x1 := inside(p, d, limit, 1, 9)
				for x := 1; x < 9; x++ {
					v := p + x*d
					if in := x >= x0 && x < x1; in != (v >= 0 && v < limit) {
						t.Fatalf("inside(%d, %d, %d) is %d to %d; but at %d the value is %d", p, d, limit, x0, x1, x, v)
					}
				}
				if x0 > x1 || x0 < 1 || x1 > 9 {
					t.Fatalf("inside(%d, %d, %d) is %d to %d, outside 1 to 9", p, d, limit, x0, x1)
				}
			}
		}
	}
}
