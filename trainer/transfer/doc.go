// Package transfer teaches a pretrained network with few images: the features of its frozen layers
// are computed once for each image, a new score layer (the head) is fitted on them in seconds, and
// the upper blocks can then be fine-tuned.
//
//	base, images -> TRANSFER (Features, Teach, FineTune) -> checkpoint -> quantize
//
// The head scores each position of the image, and the picture is the mean of the highest scores: a
// crack is small, and a mean of the whole picture learns the look of the tire instead. So the
// scores are the heat map, too.
//
// Start with [NewTrunk] and [Trunk.Features], then [Teach], [WithHead] and [FineTune].
package transfer
