package metrics

import "fmt"

// Band is the two thresholds of three answers. A score below SoundBelow is sound, a score of at
// least Threshold is a crack, and a score between them is unsure. SoundBelow is 0 or Threshold if
// no score is unsure.
type Band struct {
	SoundBelow float64 `json:"sound_below"`
	Threshold  float64 `json:"threshold"`
}

// Three reports whether there is an answer between sound and crack.
func (b Band) Three() bool { return b.SoundBelow > 0 && b.SoundBelow < b.Threshold }

// Unsure reports whether a score is between the two thresholds.
func (b Band) Unsure(score float64) bool {
	return b.SoundBelow > 0 && score >= b.SoundBelow && score < b.Threshold
}

// Count counts the answers. labels[i] is true for a crack. Both slices have the same length.
func (b Band) Count(scores []float64, labels []bool) (a Answers) {
	for i, s := range scores {
		a.add(b.Unsure(s), s >= b.Threshold, labels[i])
	}
	return a
}

// Answers counts three answers by the true class.
type Answers struct {
	Matrix          // of the decided images
	UnsureCrack int `json:"unsure_crack"` // cracks
	UnsureSound int `json:"unsure_sound"` // sound tires
}

func (a *Answers) add(unsure, said, crack bool) {
	switch {
	case unsure && crack:
		a.UnsureCrack++
	case unsure:
		a.UnsureSound++
	default:
		a.Matrix.add(said, crack)
	}
}

// Plus adds two counts.
func (a Answers) Plus(b Answers) Answers {
	return Answers{Matrix{a.TP + b.TP, a.FP + b.FP, a.FN + b.FN, a.TN + b.TN},
		a.UnsureCrack + b.UnsureCrack, a.UnsureSound + b.UnsureSound}
}

// Cracks returns the number of cracks, Sound that of sound tires, decided or not.
func (a Answers) Cracks() int { return a.TP + a.FN + a.UnsureCrack }

// Sound returns the number of sound tires, decided or not.
func (a Answers) Sound() int { return a.TN + a.FP + a.UnsureSound }

// Total returns the number of images, decided or not.
func (a Answers) Total() int { return a.Cracks() + a.Sound() }

// Unsure is the share of all images that are unsure: the price.
func (a Answers) Unsure() Rate { return NewRate(a.UnsureCrack+a.UnsureSound, a.Total()) }

// Decided is the share of right answers among the decided images.
func (a Answers) Decided() Rate { return NewRate(a.TP+a.TN, a.Matrix.Total()) }

// Escape is the share of all cracks that are called sound. An unsure crack has not escaped.
func (a Answers) Escape() Rate { return NewRate(a.FN, a.Cracks()) }

// FalseReject is the share of all sound tires that are called cracked. An unsure one is not.
func (a Answers) FalseReject() Rate { return NewRate(a.FP, a.Sound()) }

// Price describes what unsure answers cost and what they buy, in one row each.
func (a Answers) Price() [][2]string {
	return [][2]string{
		{"unsure", a.Unsure().String()},
		{"right of the decided", a.Decided().String()},
		{"cracks called sound", a.Escape().String()},
		{"sound tires called cracked", a.FalseReject().String()},
	}
}

// outcomes describes what happens on the belt, when unsure tires are rejected or when they pass.
func (a Answers) outcomes() string {
	return fmt.Sprintf("rejecting unsure tires rejects %s of the sound tires; letting them pass misses %s of the cracks",
		percent3(a.FP+a.UnsureSound, a.Sound()), percent3(a.FN+a.UnsureCrack, a.Cracks()))
}

func percent3(k, n int) string { return fmt.Sprintf("%.3g %%", 100*ratio(k, n)) }
