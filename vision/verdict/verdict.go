// Package verdict is the station's result for one tire, and how it is decided.
//
//	int8 forward -> VERDICT -> journal -> MQTT
//
// A Verdict is a record for SCADA. It is complete in itself and contains the reasons for its label.
// Start with [Policy.Decide], which turns the votes of a tire's frames into a label, and
// [Verdict.Encode], which returns the bytes that are published.
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

// Label is the station's decision about a tire.
type Label string

const (
	Normal Label = "normal"
	Crack  Label = "crack"
	// a verdict was requested, but the tire could not be judged, or the network is unsure;
	// Verdict.Reason says why
	NoDecision Label = "no_decision"
)

// Labels returns all labels, in the order of reports.
func Labels() []Label { return []Label{Normal, Crack, NoDecision} }

// Reject reports whether the tire must leave the belt: every tire that is not known to be sound. A
// station may let unsure tires pass, so a receiver uses Verdict.Reject.
func (l Label) Reject() bool { return l != Normal }

// SchemaVersion is in every verdict. It grows when receivers must change. Version 2 added the label
// no_decision and the field Reject.
const SchemaVersion = 2

// Verdict is the result for one tire. (Station, Seq) is never reused. Delivery is at least once,
// and a receiver uses this pair to drop repeats.
type Verdict struct {
	Schema  int    `msg:"schema" json:"schema"`
	Station string `msg:"station" json:"station"` // site/line/station
	// numbers the station's verdicts from 1; the status topic lists the gaps
	Seq  uint64    `msg:"seq" json:"seq"`
	Time time.Time `msg:"time" json:"time"` // when the deciding frame was taken, UTC

	Label Label `msg:"label" json:"label"`
	// true for a crack and for no decision, but false for an unsure tire if the station lets it
	// pass; reject outputs use it
	Reject bool `msg:"reject" json:"reject"`
	// why there is no decision; Unsure: Probability is between SoundBelow and Threshold
	Reason      string  `msg:"reason,omitempty" json:"reason,omitempty"`
	Probability float64 `msg:"probability" json:"probability"` // of a crack, 0 to 1
	Threshold   float64 `msg:"threshold" json:"threshold"`     // a crack from this probability on
	// sound below this probability; missing: below Threshold
	SoundBelow float64 `msg:"sound_below,omitempty" json:"sound_below,omitempty"`
	// the frames that were scored, oldest first
	Votes []Vote `msg:"votes" json:"votes"`

	ModelSerial uint64 `msg:"model_serial" json:"model_serial"`
	// SHA-256 of the bundle, first 16 hex digits
	ModelHash string `msg:"model_hash" json:"model_hash"`

	// what requested it: presence, frame, photo-eye or command; missing: no trigger
	Trigger string `msg:"trigger,omitempty" json:"trigger,omitempty"`
	// the part's name, from the trigger
	Part string `msg:"part,omitempty" json:"part,omitempty"`
	// the scores of the tiles, if the tire is judged in tiles
	Tiling *Tiling `msg:"tiling,omitempty" json:"tiling,omitempty"`

	// how the tire compares with the sound ones of its type, if the model knows them; it changes
	// neither Label nor Reject
	SecondOpinion *SecondOpinion `msg:"second_opinion,omitempty" json:"second_opinion,omitempty"`

	Image string `msg:"image,omitempty" json:"image,omitempty"` // file name of a still image
	// file name of the crop of the deciding frame or tile, next to the station's journal, while it
	// is kept; labelling moves it to a folder there
	Crop string `msg:"crop,omitempty" json:"crop,omitempty"`
	// time of each step for the deciding frame
	MS Duration `msg:"ms" json:"ms"`
}

// IsUnsure reports whether the network saw the tire and is unsure.
func (v *Verdict) IsUnsure() bool { return v.Label == NoDecision && v.Reason == Unsure }

// Vote is the score of one frame of a tire.
type Vote struct {
	Frame uint64 `msg:"frame" json:"frame"` // the source's frame number
	Crop  [4]int `msg:"crop" json:"crop"`   // x0, y0, x1, y1 in the frame, px
	// the network's output before the sigmoid; for a tire in tiles, the largest one
	Logit float64 `msg:"logit" json:"logit"`
}

// Tiling holds the scores of the deciding frame's tiles and the tile that decided. The angle is a
// place of the tire as it lies in that frame; how the tire is turned is unknown.
type Tiling struct {
	View string `msg:"view" json:"view"` // "tiles" or "sidewall"
	// the deciding frame: the one with the largest logit
	Frame uint64 `msg:"frame" json:"frame"`
	// index of the tile with the largest logit
	Worst int `msg:"worst" json:"worst"`
	// direction of that tile from the middle of the tire, degrees clockwise from the frame's top
	Angle float64 `msg:"angle" json:"angle"`
	Ring  *Ring   `msg:"ring,omitempty" json:"ring,omitempty"` // for a side wall
	// 1 to 256 tiles; for a side wall clockwise, otherwise row by row
	Tiles []Tile `msg:"tiles" json:"tiles"`
}

// Tile is the score of one tile. A piece of side wall extends from From to To, degrees as for
// Tiling.Angle. To is above From, and above 360 if the piece extends across the top. Both are 0 for
// other tiles.
type Tile struct {
	// x0, y0, x1, y1 in the frame, px; for a piece of side wall, the box around it
	Crop  [4]int  `msg:"crop" json:"crop"`
	From  float64 `msg:"from,omitempty" json:"from,omitempty"`
	To    float64 `msg:"to,omitempty" json:"to,omitempty"`
	Logit float64 `msg:"logit" json:"logit"`
}

// Ring is a side wall: the area between two circles.
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

// SecondOpinion compares the deciding frame of a tire with the sound tires of its type. A score is
// a distance in standard deviations of the sound tires: the mean of the parts that differ most.
type SecondOpinion struct {
	Unlike bool    `msg:"unlike" json:"unlike"` // Score is Limit or more
	Score  float64 `msg:"score" json:"score"`   // of the tile that differs most
	Limit  float64 `msg:"limit" json:"limit"`   // chosen with the pictures of sound tires
	// index of that tile in Tiling.Tiles; 0 for a tire in one piece
	Tile int     `msg:"tile,omitempty" json:"tile,omitempty"`
	MS   float64 `msg:"ms" json:"ms"` // time that it took, after the decision
	// where that tile differs, only if Unlike
	Heat *Heat `msg:"heat,omitempty" json:"heat,omitempty"`
}

// Heat is a map of a crop or tile, row by row from the top left: 128 is the limit, 255 twice as
// much or more.
type Heat struct {
	W     int    `msg:"w" json:"w"`
	H     int    `msg:"h" json:"h"`
	Cells []byte `msg:"cells" json:"cells"` // (h, w); in JSON as base64
}

// Duration holds the time of each step from frame to verdict, milliseconds.
type Duration struct {
	Locate     float64 `msg:"locate" json:"locate"`
	Preprocess float64 `msg:"preprocess" json:"preprocess"`
	Forward    float64 `msg:"forward" json:"forward"`
}

// Encoding is a payload format.
type Encoding string

const (
	JSON        Encoding = "json"
	MessagePack Encoding = "msgpack"
)

// maxElements limits every array of a verdict from outside. No tire has so many votes.
const maxElements = 4096

// ErrMalformed marks bytes that are not a verdict.
var ErrMalformed = errors.New("malformed verdict")

// Encode returns the payload of the verdict.
func (v *Verdict) Encode(e Encoding) ([]byte, error) {
	switch e {
	case JSON:
		return json.Marshal(v)
	case MessagePack:
		return v.MarshalMsg(nil)
	}
	return nil, fmt.Errorf("encode verdict: unknown encoding %q", e)
}

// Decode reads a payload in either encoding. JSON starts with a brace, which no MessagePack map
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
		return nil, fmt.Errorf("%w: unknown label %q", ErrMalformed, v.Label)
	}
	if v.Schema == 1 { // from an older station, or in a journal from before an update
		v.Reject = v.Label.Reject()
	}
	return v, nil
}
