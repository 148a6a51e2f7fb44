package sparkplug

import (
	"encoding/json"
	"fmt"
)

// host is the state of the primary host application according to its STATE messages. It is kept
// across connections, because a broker may send an old retained message again.
type host struct {
	known  bool  // a message was accepted
	latest int64 // timestamp of the latest accepted message, Unix ms
	since  int64 // timestamp of the latest accepted online message, Unix ms
	online bool
}

// ReadState decodes a STATE message: whether the host is online, and the timestamp in Unix ms.
func ReadState(payload []byte) (online bool, timestamp int64, err error) {
	var m struct {
		Online    *bool  `json:"online"`
		Timestamp *int64 `json:"timestamp"`
	}
	if err := json.Unmarshal(payload, &m); err != nil || m.Online == nil || m.Timestamp == nil {
		return false, 0, fmt.Errorf(
			`malformed STATE message %.100q, want JSON like {"online": true, "timestamp": 1700000000000}`, payload)
	}
	return *m.Online, *m.Timestamp, nil
}

// receive processes a STATE message. It returns false for a message that is older than the known
// state, and an error for a malformed one.
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

// forget is called for a new connection: the host must report again that it is online.
func (h *host) forget() { h.online = false }
