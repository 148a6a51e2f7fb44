// Package message defines the JSON messages of a station and the MQTT topics that carry them.
//
//	station: verdict, status, health, model, reject, ... -> broker -> SCADA, toolbox
//	toolbox, PLC: model/set, command                    -> broker -> station
//
// The verdict itself is in package verdict. This package contains no MQTT client: package uplink
// sends and receives, and the page and the metrics show the same [Health]. Start with [Topics] and
// [Status].
package message

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"tirewatch/vision/verdict"
)

// Status says whether a station is online. It is retained, so a new subscriber receives it at once.
type Status struct {
	State State `json:"state"`
	// when State began; absent when the broker reports a lost connection
	Since   time.Time `json:"since,omitzero"`
	Reason  string    `json:"reason,omitempty"`  // why it is offline
	Version string    `json:"version,omitempty"` // of the agent
	Model   string    `json:"model,omitempty"`   // hash of the active bundle
	// why an online station does not work, for example a lost camera
	Problem string `json:"problem,omitempty"`

	// Verdicts that will never reach the broker, since the station's first one. If a receiver
	// misses a number that is not listed here, the receiver lost it.
	Lost uint64 `json:"lost,omitempty"` // verdicts, as far as their number is known
	Gaps []Gap  `json:"gaps,omitempty"` // the latest gaps, newest first
}

// Gap is a range of sequence numbers of which some or all never reach the broker.
type Gap struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	// verdicts in the range that were not delivered; absent if unknown
	Lost uint64    `json:"lost,omitempty"`
	Why  string    `json:"why"`
	Time time.Time `json:"time"` // when the station noticed the gap
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
	// systemd has given up for now; the message adds how often the start failed and why
	ReasonFailed = "failed to start"
)

// Health holds the station's counters and gauges. Problems in words are in [Status]. Counters start
// at 0 with the agent. It is sent every mqtt.health_period and retained, so a new subscriber
// receives the latest: Time says how old it is.
type Health struct {
	Time     time.Time         `json:"time"`
	Since    time.Time         `json:"since"` // when the agent started
	Frames   uint64            `json:"frames"`
	Verdicts map[string]uint64 `json:"verdicts"`           // by label
	Unsure   uint64            `json:"unsure"`             // of no_decision, those with the reason unsure
	Triggers map[string]uint64 `json:"triggers,omitempty"` // by kind
	// by fault: double, late, missing, bounce
	TriggerErrors map[string]uint64 `json:"trigger_errors,omitempty"`
	// by result: sent to the output, missed
	Rejects map[string]uint64 `json:"rejects,omitempty"`
	// tires with a second opinion: compared, and of these unlike the sound ones
	SecondOpinions map[string]uint64 `json:"second_opinions,omitempty"`
	CameraRestarts uint64            `json:"camera_restarts"`
	ModelSerial    uint64            `json:"model_serial"` // 0: no active model
	// verdicts that wait for the broker's acknowledgement
	Queued  int     `json:"queued"`
	OldestS float64 `json:"oldest_s"` // age of the oldest queued verdict, s

	// MS holds mean times for the deciding frames of all verdicts since the previous message, ms.
	// Absent without a verdict.
	MS *verdict.Duration `json:"ms,omitempty"`

	// Absent if this machine does not report them.
	TemperatureC  *float64 `json:"temperature_c,omitempty"`   // of the hottest sensor
	MemoryBytes   *uint64  `json:"memory_bytes,omitempty"`    // resident, of the agent
	DiskFreeBytes *uint64  `json:"disk_free_bytes,omitempty"` // on the file system of the journal

	// by statistic; empty if the model's bundle contains no reference
	Drift map[string]Drift `json:"drift,omitempty"`
}

// Drift is the distance of a rolling mean from the model's reference.
type Drift struct {
	Deviations float64 `json:"deviations"` // in standard deviations of the reference, signed
	Alarm      bool    `json:"alarm,omitempty"`
}

// ModelState says which models a station holds and whether it accepted the last pushed bundle.
type ModelState struct {
	// the model that makes the verdicts; null before the first bundle
	Active    *ModelRef   `json:"active"`
	Candidate *Candidate  `json:"candidate,omitempty"` // the active model, while it is on probation
	Previous  *ModelRef   `json:"previous,omitempty"`  // the command rollback activates it
	Last      *ModelEvent `json:"last,omitempty"`      // the last change
	// to the last bundle pushed since the agent started
	Answer *Answer `json:"answer,omitempty"`
}

// Candidate is a bundle on probation, with its progress.
type Candidate struct {
	ModelRef
	Verdicts      int `json:"verdicts"`
	Of            int `json:"of"`               // verdicts that end the probation
	Unsure        int `json:"unsure,omitempty"` // verdicts that are unsure
	Compared      int `json:"compared"`         // tires that the previous model judged too
	Disagreements int `json:"disagreements"`    // compared tires that one model calls crack, the other normal
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

// Answer is a station's answer to a pushed bundle. The pair of Time and Count is unique, so an
// answer retained before a push differs from the answer to that push, even for the same bundle.
type Answer struct {
	Hash     string    `json:"hash"` // of the pushed bytes
	Accepted bool      `json:"accepted"`
	Reason   string    `json:"reason,omitempty"` // of a refusal
	Time     time.Time `json:"time"`
	Count    uint64    `json:"count"` // answers since the agent started
}

// Command asks a station to do something. The sender chooses ID; the reply repeats it.
type Command struct {
	ID   string `json:"id"`
	Name string `json:"command"`

	// Only for a trigger: the PLC's name for the part, and when the tire passed (absent: now).
	Part string    `json:"part,omitempty"`
	Time time.Time `json:"time,omitzero"`

	Reply func(err error) `json:"-"` // must be called once; nil means done. It does not block.
}

// Reject says that a tire must leave the belt. It is sent at once or never: a PLC that receives it
// late would eject another tire.
type Reject struct {
	Station string        `json:"station"`
	Seq     uint64        `json:"seq"`    // of the verdict
	Middle  time.Time     `json:"middle"` // when the tire was in the middle of the frame, UTC
	Label   verdict.Label `json:"label"`
	Reason  string        `json:"reason,omitempty"`
	Trigger string        `json:"trigger,omitempty"`
	Part    string        `json:"part,omitempty"`

	Missed func(err error) `json:"-"` // called when the broker did not receive it
}

// CommandReply is the answer to a [Command].
type CommandReply struct {
	ID    string `json:"id"`
	Name  string `json:"command"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

// MaxBundle is the largest size of a pushed bundle, bytes.
const MaxBundle = 64 << 20

// BundleHash identifies a bundle by its bytes: the first 16 hex digits of their SHA-256.
func BundleHash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
