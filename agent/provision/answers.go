package provision

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strconv"

	"tirewatch/agent/config"
	"tirewatch/vision/bundle"
)

// Camera reports what is wrong with the answer about the camera.
func Camera(answer string) error { return tryKeys("camera.source", "[camera]\n"+cameraKey(answer)) }

// Broker reports what is wrong with the answer about the broker.
func Broker(answer string) error {
	return tryKeys("mqtt.broker", "[mqtt]\nbroker = "+strconv.Quote(answer))
}

// Trigger reports what is wrong with the answer about the trigger, which may need other answers.
func Trigger(a Answers) error {
	if a.PhotoEye != "" && a.mode() != config.TriggerPhotoEye {
		return fmt.Errorf("%s does not use a photo-eye", a.Trigger)
	}
	return tryKeys("trigger.mode", beltSections(a)+"[mqtt]\nbroker = "+strconv.Quote(a.Broker))
}

// PhotoEye reports what is wrong with the line of the photo-eye.
func PhotoEye(a Answers) error { return tryKeys("trigger.gpio", beltSections(a)) }

// Ejector reports what is wrong with the line of the ejector.
func Ejector(a Answers) error { return tryKeys("reject.gpio", beltSections(a)) }

// EjectorDelay reports what is wrong with the time to the ejector.
func EjectorDelay(a Answers) error {
	if a.EjectorDelay != "" && a.Ejector == "" {
		return errors.New("needs an ejector")
	}
	return tryKeys("reject.delay", beltSections(a))
}

// tryKeys returns what the check of the configuration says about one key of a text.
func tryKeys(key, text string) error {
	_, err := config.Parse([]byte(text), "")
	problems, _ := errors.AsType[config.Problems](err)
	for _, p := range problems {
		if p.Key == key || p.Key == "" {
			return errors.New(p.Text)
		}
	}
	return nil
}

// Key reads the public key of an answer.
func Key(path string) (ed25519.PublicKey, error) { return bundle.ReadPublicKey(path) }

// Model reports why the station could not start with a bundle.
func Model(path string, key ed25519.PublicKey) error {
	_, err := bundle.Read(path, []ed25519.PublicKey{key})
	return err
}
