package uplink_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"tirewatch/agent/uplink"
)

// An invalid URL has one error, whatever net/url thinks of it, and no error shows a password.
func TestInvalidBrokerURL(t *testing.T) {
	for broker, shown := range map[string]string{
		"broker:1883":                   "broker:1883",
		"127.0.0.1:1883":                "127.0.0.1:1883", // net/url: first path segment in URL cannot contain colon
		"":                              "",
		"mqtt://":                       "mqtt://",
		"http://broker":                 "http://broker",
		"mqtt://broker:port":            "mqtt://broker:port",
		"mqtt://bro ker":                "mqtt://bro ker",
		"me:sec-4d8c1@broker":           "me:xxxxx@broker",
		"http://me:sec-4d8c1@broker":    "http://me:xxxxx@broker",
		"mqtt://me:sec#-4d8c1@broker":   "mqtt://me:xxxxx@broker",
		"mqtt://me:sec%-4d8c1@broker":   "mqtt://me:xxxxx@broker",
		"mqtt://me:s:ec@-4d8c1@bro ker": "mqtt://me:xxxxx@bro ker",
	} {
		err := uplink.Ask(t.Context(), uplink.Target{MQTT: settings(broker), Station: station}, "confirm")
		want := `confirm: invalid broker URL "` + shown + `": want mqtt://HOST or mqtts://HOST`
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestNoPasswordInErrors(t *testing.T) {
	const broker = "mqtt://me:sec-4d8c1@127.0.0.1:1"
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := uplink.Ask(ctx, uplink.Target{MQTT: settings(broker), Station: station}, "confirm")
	want := "confirm: broker mqtt://me:xxxxx@127.0.0.1:1: nothing listens there: " +
		"check the port, and that the broker is running (dial tcp 127.0.0.1:1: connect: connection refused)"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}

	log, logger := newLog()
	stop := run(t, uplink.New(settings(broker), topics, newJournal(t), logger, uplink.Options{}))
	log.wait("uplink: disconnected")
	stop()
	if strings.Contains(log.String(), "sec-4d8c1") {
		t.Errorf("the log holds a password:\n%s", log)
	}
}
