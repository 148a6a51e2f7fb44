// Package verdict is what the station says about one tire, and how it comes to say it.
//
//	int8 forward -> VERDICT -> journal -> MQTT
//
// A Verdict is a record for SCADA: flat, self-contained, and explained. Newcomers need
// Policy.Decide, which turns the votes of a tire's frames into a label, and Verdict.Encode, which
// makes the bytes that are published.
package verdict

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tirewatch/internal/wire"
)

//go:generate go tool msgp -io=false -tests=false

// Label is the station's word about a tire.
type Label string

const (
	Normal Label = "normal"
	Crack  Label = "crack"
	// the tire was asked for and could not be judged; Verdict.Reason says why
	NoDecision Label = "no_decision"
)

// Labels are all labels, in the order of reports.
func Labels() []Label { return []Label{Normal, Crack, NoDecision} }

// Reject says whether a tire leaves the belt: what is not known to be sound does.
func (l Label) Reject() bool { return l != Normal }

// SchemaVersion stands in every verdict; it grows when a receiver would have to change. Version 2
// added the label no_decision, and Reject.
const SchemaVersion = 2

// Verdict is one tire's result. (Station, Seq) is unique for ever: delivery is at least once, and a
// receiver drops repeats by it.
type Verdict struct {
	Schema  int    `msg:"schema" json:"schema"`
	Station string `msg:"station" json:"station"` // site/line/station
	// counts the station's verdicts from 1; the status topic names the gaps
	Seq  uint64    `msg:"seq" json:"seq"`
	Time time.Time `msg:"time" json:"time"` // when the deciding frame was taken, UTC

	Label Label `msg:"label" json:"label"`
	// a crack or no decision: what a reject output acts on
	Reject      bool    `msg:"reject" json:"reject"`
	Reason      string  `msg:"reason,omitempty" json:"reason,omitempty"` // why there is no decision
	Probability float64 `msg:"probability" json:"probability"`           // of a crack, 0 to 1
	Threshold   float64 `msg:"threshold" json:"threshold"`               // crack from here on
	// the frames that were scored, oldest first
	Votes []Vote `msg:"votes" json:"votes"`

	ModelSerial uint64 `msg:"model_serial" json:"model_serial"`
	// SHA-256 of the bundle, first 16 hex digits
	ModelHash string `msg:"model_hash" json:"model_hash"`

	// what asked for it: presence, frame, photo-eye, command; missing: nothing did
	Trigger string `msg:"trigger,omitempty" json:"trigger,omitempty"`
	// the part's name, as the trigger gave it
	Part string `msg:"part,omitempty" json:"part,omitempty"`
	// where in the tire, when it is judged in tiles
	Tiling *Tiling `msg:"tiling,omitempty" json:"tiling,omitempty"`

	Image string `msg:"image,omitempty" json:"image,omitempty"` // file name of a still image
	// picture of the frame or tile that decided, beside the station's journal if it is still there;
	// a label moves it into a folder there
	Crop string `msg:"crop,omitempty" json:"crop,omitempty"`
	// what each step took, of the deciding frame
	MS Duration `msg:"ms" json:"ms"`
}

// Vote is the score of one frame of a tire.
type Vote struct {
	Frame uint64 `msg:"frame" json:"frame"` // the source's frame number
	Crop  [4]int `msg:"crop" json:"crop"`   // x0, y0, x1, y1 in the frame, px
	// the network's output before the sigmoid; of a tire in tiles the largest of them
	Logit float64 `msg:"logit" json:"logit"`
}

// Tiling is what the tiles of the deciding frame say, and which of them decided. The angle names a
// place of the tire as it lay in that frame: nobody knows how it is turned.
type Tiling struct {
	View string `msg:"view" json:"view"` // "tiles" or "sidewall"
	// the deciding frame: the one with the largest logit
	Frame uint64 `msg:"frame" json:"frame"`
	// index of the tile with the largest logit
	Worst int `msg:"worst" json:"worst"`
	// of its middle as seen from the tire's, degrees in the picture: 0 at the top, clockwise
	Angle float64 `msg:"angle" json:"angle"`
	Ring  *Ring   `msg:"ring,omitempty" json:"ring,omitempty"` // of a side wall
	// 1 to 256; of a side wall clockwise, else row by row
	Tiles []Tile `msg:"tiles" json:"tiles"`
}

// Tile is the score of one tile. A piece of side wall reaches from From to To, degrees as above; To
// is above From, and above 360 where the piece reaches across the top. Both are 0 for other tiles.
type Tile struct {
	// x0, y0, x1, y1 in the frame, px; of a piece of side wall the box around it
	Crop  [4]int  `msg:"crop" json:"crop"`
	From  float64 `msg:"from,omitempty" json:"from,omitempty"`
	To    float64 `msg:"to,omitempty" json:"to,omitempty"`
	Logit float64 `msg:"logit" json:"logit"`
}

// Ring is a side wall: what lies between two circles.
type Ring struct {
	Outer Circle `msg:"outer" json:"outer"`
	Inner Circle `msg:"inner" json:"inner"` // the rim's edge
}

// Circle is a circle in the frame, px.
type Circle struct {
	X float64 `msg:"x" json:"x"`
	Y float64 `msg:"y" json:"y"`
	R float64 `msg:"r" json:"r"`
}

// Duration holds the milliseconds of each step from frame to verdict.
type Duration struct {
	Locate     float64 `msg:"locate" json:"locate"`
	Preprocess float64 `msg:"preprocess" json:"preprocess"`
	Forward    float64 `msg:"forward" json:"forward"`
}

// Encoding names a payload format.
type Encoding string

const (
	JSON        Encoding = "json"
	MessagePack Encoding = "msgpack"
)

// maxElements bounds every array of a verdict from outside: no tire has as many votes.
const maxElements = 4096

// ErrMalformed marks bytes that are no verdict.
var ErrMalformed = errors.New("malformed verdict")

// Encode makes the payload of the verdict.
func (v *Verdict) Encode(e Encoding) ([]byte, error) {
	switch e {
	case JSON:
		return json.Marshal(v)
	case MessagePack:
		return v.MarshalMsg(nil)
	}
	return nil, fmt.Errorf("encode verdict: unknown encoding %q", e)
}

// Decode reads a payload of either encoding: JSON opens with a brace, which no MessagePack map
// does.
func Decode(b []byte) (*Verdict, error) {
	v := new(Verdict)
	if len(b) > 0 && b[0] == '{' {
		if err := json.Unmarshal(b, v); err != nil {
			return nil, fmt.Errorf("%w: %v", ErrMalformed, err)
		}
	} else {
		if err := wire.Check(b, maxElements); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
		if _, err := v.UnmarshalMsg(b); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
		}
	}
	v.Time = v.Time.UTC()
	if v.Schema < 1 || v.Schema > SchemaVersion {
		return nil, fmt.Errorf("%w: schema %d, this program knows 1 to %d", ErrMalformed, v.Schema, SchemaVersion)
	}
	if !slices.Contains(Labels(), v.Label) {
		return nil, fmt.Errorf("%w: label %q", ErrMalformed, v.Label)
	}
	if v.Schema == 1 { // of an older station, or a journal from before an update
		v.Reject = v.Label.Reject()
	}
	return v, nil
}
