package message_test

import (
	"encoding/json"
	"fmt"
	"time"

	"tirewatch/agent/message"
	"tirewatch/vision/verdict"
)

// at returns a time of the day in the examples, UTC.
func at(hour, minute, second int) time.Time {
	return time.Date(2026, 3, 1, hour, minute, second, 0, time.UTC)
}

// show prints a message as the broker receives it, with line breaks added.
func show(m any) {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		panic(err)
	}
	fmt.Println(string(data))
}

func ExampleTopics() {
	t := message.Topics{Root: "tirewatch", Station: "hamburg/line1/station3"}
	fmt.Println(t.Verdict())
	fmt.Println(t.Status())
	fmt.Println(t.CommandReply())

	all := message.Topics{Root: "tirewatch", Station: message.AllStations}
	fmt.Println(all.Verdict())
	// Output:
	// tirewatch/hamburg/line1/station3/verdict
	// tirewatch/hamburg/line1/station3/status
	// tirewatch/hamburg/line1/station3/command/reply
	// tirewatch/+/+/+/verdict
}

// A station that works.
func ExampleStatus() {
	show(message.Status{State: message.Online, Since: at(6, 0, 12), Version: "v1.4.0", Model: "9834876dcfb05cb1"})
	// Output:
	// {
	//   "state": "online",
	//   "since": "2026-03-01T06:00:12Z",
	//   "version": "v1.4.0",
	//   "model": "9834876dcfb05cb1"
	// }
}

// The broker publishes this for a station whose connection broke, so nobody knows since when.
func ExampleStatus_connectionLost() {
	show(message.Status{State: message.Offline, Reason: message.ReasonLost, Version: "v1.4.0"})
	// Output:
	// {
	//   "state": "offline",
	//   "reason": "connection lost",
	//   "version": "v1.4.0"
	// }
}

// A station without a camera that lost three verdicts earlier.
func ExampleStatus_problem() {
	show(message.Status{
		State: message.Online, Since: at(6, 0, 12), Version: "v1.4.0", Model: "9834876dcfb05cb1",
		Problem: "camera: no frame for 10s", Lost: 3,
		Gaps: []message.Gap{{First: 5120, Last: 5122, Lost: 3, Why: "the disk was full", Time: at(5, 40, 0)}},
	})
	// Output:
	// {
	//   "state": "online",
	//   "since": "2026-03-01T06:00:12Z",
	//   "version": "v1.4.0",
	//   "model": "9834876dcfb05cb1",
	//   "problem": "camera: no frame for 10s",
	//   "lost": 3,
	//   "gaps": [
	//     {
	//       "first": 5120,
	//       "last": 5122,
	//       "lost": 3,
	//       "why": "the disk was full",
	//       "time": "2026-03-01T05:40:00Z"
	//     }
	//   ]
	// }
}

func ExampleHealth() {
	temperature, memory, disk := 61.5, uint64(104857600), uint64(21474836480)
	show(message.Health{
		Time: at(22, 15, 0), Since: at(6, 0, 12), Frames: 1461600,
		Verdicts: map[string]uint64{"normal": 11650, "crack": 41, "no_decision": 2},
		Triggers: map[string]uint64{"photo-eye": 11692}, TriggerErrors: map[string]uint64{"bounce": 17, "missing": 1},
		Rejects: map[string]uint64{"sent": 43, "missed": 0}, ModelSerial: 8, Queued: 1, OldestS: 0.02,
		MS:           &verdict.Duration{Locate: 1.8, Preprocess: 0.6, Forward: 9.4},
		TemperatureC: &temperature, MemoryBytes: &memory, DiskFreeBytes: &disk,
		Drift: map[string]message.Drift{"brightness": {Deviations: -0.4}},
	})
	// Output:
	// {
	//   "time": "2026-03-01T22:15:00Z",
	//   "since": "2026-03-01T06:00:12Z",
	//   "frames": 1461600,
	//   "verdicts": {
	//     "crack": 41,
	//     "no_decision": 2,
	//     "normal": 11650
	//   },
	//   "unsure": 0,
	//   "triggers": {
	//     "photo-eye": 11692
	//   },
	//   "trigger_errors": {
	//     "bounce": 17,
	//     "missing": 1
	//   },
	//   "rejects": {
	//     "missed": 0,
	//     "sent": 43
	//   },
	//   "camera_restarts": 0,
	//   "model_serial": 8,
	//   "queued": 1,
	//   "oldest_s": 0.02,
	//   "ms": {
	//     "locate": 1.8,
	//     "preprocess": 0.6,
	//     "forward": 9.4
	//   },
	//   "temperature_c": 61.5,
	//   "memory_bytes": 104857600,
	//   "disk_free_bytes": 21474836480,
	//   "drift": {
	//     "brightness": {
	//       "deviations": -0.4
	//     }
	//   }
	// }
}

// A station that accepted a bundle and tests it beside the previous one.
func ExampleModelState() {
	previous := message.ModelRef{Serial: 7, Hash: "1f0e5d7c9a3b2846", Since: at(5, 0, 0)}
	active := message.ModelRef{Serial: 8, Hash: "9834876dcfb05cb1", Since: at(6, 0, 12)}
	show(message.ModelState{
		Active:    &active,
		Candidate: &message.Candidate{ModelRef: active, Verdicts: 57, Of: 200, Compared: 57, Disagreements: 1},
		Previous:  &previous,
		Last:      &message.ModelEvent{Event: "on_probation", Serial: 8, Hash: active.Hash, Time: active.Since},
		Answer:    &message.Answer{Hash: active.Hash, Accepted: true, Time: active.Since, Count: 1},
	})
	// Output:
	// {
	//   "active": {
	//     "serial": 8,
	//     "hash": "9834876dcfb05cb1",
	//     "since": "2026-03-01T06:00:12Z"
	//   },
	//   "candidate": {
	//     "serial": 8,
	//     "hash": "9834876dcfb05cb1",
	//     "since": "2026-03-01T06:00:12Z",
	//     "verdicts": 57,
	//     "of": 200,
	//     "compared": 57,
	//     "disagreements": 1
	//   },
	//   "previous": {
	//     "serial": 7,
	//     "hash": "1f0e5d7c9a3b2846",
	//     "since": "2026-03-01T05:00:00Z"
	//   },
	//   "last": {
	//     "event": "on_probation",
	//     "serial": 8,
	//     "hash": "9834876dcfb05cb1",
	//     "time": "2026-03-01T06:00:12Z"
	//   },
	//   "answer": {
	//     "hash": "9834876dcfb05cb1",
	//     "accepted": true,
	//     "time": "2026-03-01T06:00:12Z",
	//     "count": 1
	//   }
	// }
}

// A PLC announces a tire.
func ExampleCommand() {
	show(message.Command{ID: "1", Name: "trigger", Part: "4711", Time: at(22, 15, 7)})
	// Output:
	// {
	//   "id": "1",
	//   "command": "trigger",
	//   "part": "4711",
	//   "time": "2026-03-01T22:15:07Z"
	// }
}

func ExampleCommandReply() {
	show(message.CommandReply{ID: "1", Name: "trigger", OK: true})
	show(message.CommandReply{ID: "2", Name: "dance", Error: `unknown command "dance", known: confirm, rollback`})
	// Output:
	// {
	//   "id": "1",
	//   "command": "trigger",
	//   "ok": true
	// }
	// {
	//   "id": "2",
	//   "command": "dance",
	//   "ok": false,
	//   "error": "unknown command \"dance\", known: confirm, rollback"
	// }
}

func ExampleReject() {
	show(message.Reject{
		Station: "hamburg/line1/station3", Seq: 5123, Middle: at(22, 15, 7), Label: verdict.Crack,
		Trigger: "command", Part: "4711",
	})
	// Output:
	// {
	//   "station": "hamburg/line1/station3",
	//   "seq": 5123,
	//   "middle": "2026-03-01T22:15:07Z",
	//   "label": "crack",
	//   "trigger": "command",
	//   "part": "4711"
	// }
}

func ExampleBundleHash() {
	fmt.Println(message.BundleHash([]byte("aaa"))) // echo -n aaa | sha256sum
	// Output: 9834876dcfb05cb1
}
