// Package drawn holds the network of the thesis, trained on drawn close-ups of tires.
//
//	synth -> train -> DRAWN -> train on photographs
//
// A training on photographs that starts from it knows edges, letters and cracks already, and needs
// fewer photographs than one that starts from random weights. No photograph was used, so the file
// belongs to this project alone. Start with [Base].
//
// The present file is that of a trial: the drawings of generate, 30 epochs, and an augmentation
// with mirrored borders, more zoom and contrast. `make base-thesis` trains its successor.
package drawn

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"

	"tirewatch/trainer/checkpoint"
)

//go:embed base-thesis.ckpt
var file []byte

// Base returns the checkpoint and the SHA-256 of its file, hexadecimal, for
// checkpoint.Config.Pretrained. The caller owns the checkpoint.
func Base() (c *checkpoint.Checkpoint, sum string, err error) {
	if c, err = checkpoint.Decode(file); err != nil {
		return nil, "", fmt.Errorf("read the network trained on drawings: %w", err)
	}
	hash := sha256.Sum256(file)
	return c, hex.EncodeToString(hash[:]), nil
}
