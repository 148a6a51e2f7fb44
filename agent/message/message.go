// Package message is what a station and its readers say to each other: the JSON messages and the
// topics that carry them.
//
//	station: verdict, status, health, model, reject, ... -> broker -> SCADA, toolbox
//	toolbox, PLC: model/set, command                    -> broker -> station
//
// Package verdict has the verdict itself. The package knows no MQTT client: package uplink sends and
// receives, the page and the metrics show the same [Health].
package message

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"tirewatch/vision/verdict"
)

// Status says whether a station is there. It is retained, so whoever subscribes learns it at once;
// all as JSON.
type Status struct {
	State State `json:"state"`
	// when State began; the broker's word for a lost station has none
	Since   time.Time `json:"since,omitzero"`
	Reason  string    `json:"reason,omitempty"`  // why it is offline
	Version string    `json:"version,omitempty"` // of the agent
	Model   string    `json:"model,omitempty"`   // hash of the active bundle
	// what keeps an online station from working, such as a lost camera
	Problem string `json:"problem,omitempty"`

	// What the broker never got, since the station's first verdict. A receiver that misses numbers
	// finds them here, or has lost them itself.
	Lost uint64 `json:"lost,omitempty"` // verdicts, as far as their number is known
	Gaps []Gap  `json:"gaps,omitempty"` // the newest ones, the newest first
}

// Gap is a run of sequence numbers of which some or all never reach the broker.
type Gap struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	// verdicts in it that were not delivered; absent when that is not known
	Lost uint64    `json:"lost,omitempty"`
	Why  string    `json:"why"`
	Time time.Time `json:"time"` // when the station noticed
}

// State of a station, seen from the broker.
type State string

const (
	Online  State = "online"
	Offline State = "offline"
)

// Reasons of an offline state.
const (
	ReasonStopped = "stopped"
	ReasonLost    = "connection lost"
	ReasonFailed  = "failed to start" // and how often and why: systemd has given up for now
)

// Health is how a station fares, in figures; what is wrong in words stands in Status. Counts are
// those since the agent started. It is sent every mqtt.health_period and retained, so whoever
// subscribes sees the latest: Time says how old it is.
type Health struct {
	Time     time.Time         `json:"time"`
	Since    time.Time         `json:"since"` // when the agent started
	Frames   uint64            `json:"frames"`
	Verdicts map[string]uint64 `json:"verdicts"`           // by label
	Triggers map[string]uint64 `json:"triggers,omitempty"` // by kind
	// by what was wrong: double, late, missing, bounce
	TriggerErrors map[string]uint64 `json:"trigger_errors,omitempty"`
	// that the output gave, and those that it missed: sent, missed
	Rejects        map[string]uint64 `json:"rejects,omitempty"`
	CameraRestarts uint64            `json:"camera_restarts"`
	ModelSerial    uint64            `json:"model_serial"` // 0: no model judges yet
	// verdicts that wait for the broker's acknowledgement
	Queued  int     `json:"queued"`
	OldestS float64 `json:"oldest_s"` // age of the oldest of them, s

	// MS are mean times of the verdicts since the message before, of their deciding frames, ms;
	// absent when there was none.
	MS *verdict.Duration `json:"ms,omitempty"`

	// Absent where this machine does not tell.
	TemperatureC  *float64 `json:"temperature_c,omitempty"`   // of the hottest sensor
	MemoryBytes   *uint64  `json:"memory_bytes,omitempty"`    // resident, of the agent
	DiskFreeBytes *uint64  `json:"disk_free_bytes,omitempty"` // where the journal is

	// by statistic; empty when the model's bundle has no reference
	Drift map[string]Drift `json:"drift,omitempty"`
}

// Drift is how far a rolling mean lies from the model's reference.
type Drift struct {
	Deviations float64 `json:"deviations"` // in standard deviations of the reference, signed
	Alarm      bool    `json:"alarm,omitempty"`
}

// ModelState says which networks a station holds and what became of the last pushed bundle.
type ModelState struct {
	// what verdicts come from; null before the first bundle
	Active    *ModelRef   `json:"active"`
	Candidate *Candidate  `json:"candidate,omitempty"` // the active one, while it is on probation
	Previous  *ModelRef   `json:"previous,omitempty"`  // what the command rollback goes back to
	Last      *ModelEvent `json:"last,omitempty"`      // what led here
	// to the last pushed bundle since the agent started
	Answer *Answer `json:"answer,omitempty"`
}

// Candidate is a bundle on probation and how far it has come.
type Candidate struct {
	ModelRef
	Verdicts      int `json:"verdicts"`
	Of            int `json:"of"`            // verdicts that end the probation
	Compared      int `json:"compared"`      // tires that the model before judged too
	Disagreements int `json:"disagreements"` // of them it judged differently
}

// ModelEvent is a change of the active bundle and its reason, as in the station's events.jsonl.
type ModelEvent struct {
	Event  string    `json:"event"` // installed, on_probation, confirmed, fell_back or removed
	Serial uint64    `json:"serial"`
	Hash   string    `json:"hash"`
	Reason string    `json:"reason,omitempty"`
	Time   time.Time `json:"time"`
}

// ModelRef names a bundle.
type ModelRef struct {
	Serial uint64    `json:"serial"`
	Hash   string    `json:"hash"` // BundleHash
	Since  time.Time `json:"since"`
}

// Answer is what a station says to a pushed bundle. Time and Count together never repeat, so an
// answer that was retained before a push differs from the answer to it even when it is about the
// same bundle.
type Answer struct {
	Hash     string    `json:"hash"` // of the bytes that were pushed
	Accepted bool      `json:"accepted"`
	Reason   string    `json:"reason,omitempty"` // of a refusal
	Time     time.Time `json:"time"`
	Count    uint64    `json:"count"` // answers since the agent started
}

// Command asks a station to do something. ID is the sender's and comes back in the reply.
type Command struct {
	ID   string `json:"id"`
	Name string `json:"command"`

	// Of a trigger: the PLC's name for the part, and when it passed; absent: now.
	Part string    `json:"part,omitempty"`
	Time time.Time `json:"time,omitzero"`

	Reply func(err error) `json:"-"` // to be called once; nil means done. It does not block.
}

// Reject says that a tire must leave the belt. It is sent at once or never: a PLC that gets it late
// would throw another tire off.
type Reject struct {
	Station string        `json:"station"`
	Seq     uint64        `json:"seq"`    // of the verdict
	Middle  time.Time     `json:"middle"` // when the tire was in the middle of the picture, UTC
	Label   verdict.Label `json:"label"`
	Reason  string        `json:"reason,omitempty"`
	Trigger string        `json:"trigger,omitempty"`
	Part    string        `json:"part,omitempty"`

	Missed func(err error) `json:"-"` // told when the broker did not get it
}

// CommandReply is the answer to a Command.
type CommandReply struct {
	ID    string `json:"id"`
	Name  string `json:"command"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// MaxBundle bounds a pushed bundle. bytes
const MaxBundle = 64 << 20

// BundleHash names the bytes of a bundle: the first 16 hex digits of their SHA-256.
func BundleHash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
