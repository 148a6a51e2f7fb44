package synth

import (
	"encoding/json"
	"fmt"
	"os"
)

// Truth describes the content of a clip. It is written beside the video as JSON.
type Truth struct {
	Seed   uint64      `json:"seed"`
	Width  int         `json:"width"`  // px
	Height int         `json:"height"` // px
	FPS    int         `json:"fps"`
	Frames int         `json:"frames"`
	Tires  []TruthTire `json:"tires"` // in the order in which they pass
	// Way is how far the belt has moved, px, by frame; absent when the speed is constant.
	Way []int `json:"way,omitempty"`
}

// TruthTire is one tire of a clip. Frames count from 0.
type TruthTire struct {
	Index int    `json:"index"`
	Label string `json:"label"` // "crack" or "normal"
	// The tire is wholly inside the picture from FirstFrame to LastFrame, both included.
	FirstFrame int `json:"first_frame"`
	LastFrame  int `json:"last_frame"`
	// CentreFrame is the frame in which the tire is nearest to the middle of the picture.
	CentreFrame int `json:"centre_frame"`
	CentreX     int `json:"centre_x"` // px, in CentreFrame
	CentreY     int `json:"centre_y"` // px
	Radius      int `json:"radius"`   // px
}

// TruthPath returns the path of the truth file for the clip at path.
func TruthPath(path string) string { return path + ".truth.json" }

// ReadTruth reads the truth file at path and checks its content.
func ReadTruth(path string) (Truth, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Truth{}, fmt.Errorf("read truth: %w", err)
	}
	t, err := parseTruth(data)
	if err != nil {
		return Truth{}, fmt.Errorf("read truth %s: %w", path, err)
	}
	return t, nil
}

func parseTruth(data []byte) (Truth, error) {
	var t Truth
	if err := json.Unmarshal(data, &t); err != nil {
		return Truth{}, err
	}
	if t.Width <= 0 || t.Height <= 0 || t.FPS <= 0 || t.Frames <= 0 {
		return Truth{}, fmt.Errorf("picture %d x %d, %d frames at %d per second: all must be above 0",
			t.Width, t.Height, t.Frames, t.FPS)
	}
	if t.Way != nil && len(t.Way) != t.Frames {
		return Truth{}, fmt.Errorf("the way of the belt has %d frames, the clip has %d", len(t.Way), t.Frames)
	}
	for i, tire := range t.Tires {
		switch {
		case tire.Index != i:
			return Truth{}, fmt.Errorf("tire %d has index %d", i, tire.Index)
		case tire.Label != labelCrack && tire.Label != labelNormal:
			return Truth{}, fmt.Errorf("tire %d: unknown label %q", i, tire.Label)
		case tire.FirstFrame < 0 || tire.FirstFrame > tire.CentreFrame ||
			tire.CentreFrame > tire.LastFrame || tire.LastFrame >= t.Frames:
			return Truth{}, fmt.Errorf("tire %d: frames %d, %d, %d are out of order or outside the clip of %d frames",
				i, tire.FirstFrame, tire.CentreFrame, tire.LastFrame, t.Frames)
		case tire.Radius <= 0:
			return Truth{}, fmt.Errorf("tire %d: radius %d", i, tire.Radius)
		}
	}
	return t, nil
}
