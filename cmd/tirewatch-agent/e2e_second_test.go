package main

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"tirewatch/agent/config"
	"tirewatch/agent/uplink"
	"tirewatch/agent/uplink/brokertest"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
)

// testSecondOpinion pushes a model to whose second opinion every tire is unlike the sound ones. The
// verdicts say so, and the station keeps the crops.
func (p program) testSecondOpinion(t *testing.T) {
	broker := brokertest.Start(t)
	l := listen(t, broker)
	dir := newStation(t, broker.URL(), "loop = true\nrealtime = true\n")
	key, keyErr := bundle.ReadPrivateKey(filepath.Join(dir, "plant.key"))
	b := bundletest.Second(9, 1)
	b.Threshold = 1 - 1e-9
	data, encodeErr := bundle.Encode(b, key)
	if err := errors.Join(keyErr, encodeErr); err != nil {
		t.Fatal(err)
	}
	p.start(t, dir, "run", "--config", "station.toml")
	l.next(t, 1)
	opts := uplink.Target{MQTT: config.MQTT{Broker: broker.URL(), Root: "tirewatch"}, Station: "plant/line/1"}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := uplink.Push(ctx, opts, data); err != nil {
		t.Fatal(err)
	}
	v := l.next(t, 1)[0]
	for ; v.ModelSerial != 9; v = l.next(t, 1)[0] {
	}
	o := v.SecondOpinion
	if o == nil || !o.Unlike || o.Score < o.Limit || o.Heat == nil || v.Reject || v.Crop == "" {
		t.Errorf("%s, second opinion %+v, reject %t, crop %q", v.Label, o, v.Reject, v.Crop)
	}
}
