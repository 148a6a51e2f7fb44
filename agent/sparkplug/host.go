package sparkplug

import (
	"encoding/json"
	"fmt"
)

// host is the primary host application, as its STATE messages tell. It outlives connections: a
// broker may have kept an old one of them.
type host struct {
	known  bool  // a message was accepted
	latest int64 // timestamp of the latest accepted message, Unix ms
	since  int64 // timestamp of the latest accepted online message, Unix ms
	online bool
}

// ReadState reads a STATE message: whether the host is online, and its timestamp, Unix ms.
func ReadState(payload []byte) (online bool, timestamp int64, err error) {
	var m struct {
		Online    *bool  `json:"online"`
		Timestamp *int64 `json:"timestamp"`
	}
	if err := json.Unmarshal(payload, &m); err != nil || m.Online == nil || m.Timestamp == nil {
		return false, 0, fmt.Errorf(`malformed STATE message %.100q, want JSON like {"online": true, "timestamp": 1700000000000}`, payload)
	}
	return *m.Online, *m.Timestamp, nil
}

// receive takes a STATE message. It returns false for one that is older than what is known, and for
// one that makes no sense an error.
func (h *host) receive(payload []byte) (accepted bool, err error) {
	online, at, err := ReadState(payload)
	switch {
	case err != nil:
		return false, err
	case !h.known:
	case online && at < h.latest, !online && at < h.since:
		return false, nil
	}
	h.known, h.online, h.latest = true, online, at
	if h.online {
		h.since = h.latest
	}
	return true, nil
}

// forget is for a new connection: what was online must be heard to be so again.
func (h *host) forget() { h.online = false }
