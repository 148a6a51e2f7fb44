// Package checkpoint stores a training on disk: the weights, and everything that is needed to
// continue as if it had never stopped.
//
//	train -> CHECKPOINT -> evaluate, quantize, resume
//
// Start with [Read] and [Write].
//
// # File format
//
//	offset  bytes  content
//	0       8      "TIRECKPT"
//	8       4      format version, little endian: 1, or 2 if the network (graph.Version2) or a field
//	               of Checkpoint needs it
//	12      8      length n of the content, little endian
//	20      n      content, MessagePack of Checkpoint
//	20+n    32     SHA-256 of everything before it
//
// The checksum covers every byte, so a torn or damaged file is refused and never trained on.
package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"tirewatch/internal/durable"
	"tirewatch/internal/wire"
	"tirewatch/trainer/augment"
	"tirewatch/trainer/nn"
	"tirewatch/trainer/optim"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

//go:generate go tool msgp -io=false -tests=false

// Checkpoint is the state of a training.
type Checkpoint struct {
	Graph     graph.Graph     `msg:"graph"`
	Spec      preprocess.Spec `msg:"spec"`
	Params    []nn.Param      `msg:"params"`
	Threshold float64         `msg:"threshold"` // a tire with at least this probability is cracked

	Config    Config  `msg:"config"`
	Epoch     int     `msg:"epoch"`   // finished epochs
	Partial   Partial `msg:"partial"` // the current epoch, when it was interrupted
	History   []Epoch `msg:"history"` // of the finished epochs
	BestEpoch int     `msg:"best"`    // counts from 1; 0 before the first epoch ended
	// empty in a best checkpoint: nothing is resumed from it
	Optimizer optim.State `msg:"optimizer"`

	// Files of version 1 do not have the fields below. omitempty keeps their bytes.
	// where the first weights came from, if their authors must be named: one line
	Origin string `msg:"origin,omitempty"`
	// under which terms those weights may be passed on
	Licence string `msg:"licence,omitempty"`
	// averaged weights (Config.EMADecay), one array for each of Params; empty in a best checkpoint:
	// there, Params are the averaged weights
	Average [][]float32 `msg:"average,omitempty"`
}

// version returns the format version that the file needs.
func (c *Checkpoint) version() uint32 {
	if c.Origin != "" || c.Licence != "" || c.Average != nil || c.Config.EMADecay != 0 || c.Config.Augment.QuarterTurns {
		return graph.Version2
	}
	return c.Graph.Version()
}

// Config is the configuration that the technician chose. The same configuration and images give the
// same weights.
type Config struct {
	Epochs     int            `msg:"epochs" json:"epochs"`
	Batch      int            `msg:"batch" json:"batch"` // images
	Rate       float64        `msg:"rate" json:"rate"`   // Adam's learning rate
	Seed       uint64         `msg:"seed" json:"seed"`
	Validation float64        `msg:"validation" json:"validation"` // share of the training images
	Augment    augment.Ranges `msg:"augment" json:"augment"`

	// batches in an epoch, from reshuffled passes; 0: each image once
	StepsPerEpoch int `msg:"steps" json:"steps_per_epoch"`
	// training ends after this many epochs without a new best; 0: no limit
	Patience int      `msg:"patience" json:"patience"`
	Schedule Schedule `msg:"schedule" json:"schedule"` // of the learning rate
	MinRate  float64  `msg:"min_rate" json:"min_rate"` // lower limit of every schedule
	// factor on the loss of a cracked tire, relative to a sound one; 0 and 1: the same
	CrackWeight float64 `msg:"crack_weight" json:"crack_weight"`
	// decay of the moving average of the weights, which is validated and kept as best; 0: no average
	EMADecay float64 `msg:"ema_decay,omitempty" json:"ema_decay"`

	// SHA-256 of the checkpoint that the first weights came from, hexadecimal
	Pretrained string `msg:"pretrained" json:"pretrained,omitempty"`
	// layers whose weights do not change
	Frozen []string `msg:"frozen" json:"frozen,omitempty"`
	// kind and SHA-256 of another tool's file that the weights were imported from. Such weights
	// were not trained here.
	Imported string `msg:"imported" json:"imported,omitempty"`

	Data string `msg:"data" json:"data"` // fingerprint of the data set, hexadecimal
	// what says which images belong together, as dataset.Groups.ID; empty: nothing
	Groups  string    `msg:"groups" json:"groups,omitempty"`
	Tool    string    `msg:"tool" json:"tool"` // version of the program
	Created time.Time `msg:"created" json:"created"`
}

// Schedule says how the learning rate changes from epoch to epoch. It depends only on the
// configuration and the history, so a resumed training needs no more.
type Schedule string

const (
	Constant Schedule = "constant" // the empty string means the same
	Cosine   Schedule = "cosine"   // falls along half a cosine to MinRate in the last epoch
	// halves after PlateauEpochs epochs without a lower validation loss, down to MinRate
	Plateau Schedule = "plateau"
)

// PlateauEpochs is the number of epochs that Plateau waits.
const PlateauEpochs = 5

// Schedules lists all schedules.
var Schedules = []Schedule{Constant, Cosine, Plateau}

// RateAfter returns the learning rate of the epoch that follows history.
func (c *Config) RateAfter(history []Epoch) float64 {
	switch c.Schedule {
	case Cosine:
		if c.Epochs < 2 {
			return c.Rate
		}
		done := float64(len(history)) / float64(c.Epochs-1)
		return c.MinRate + (c.Rate-c.MinRate)*(1+math.Cos(math.Pi*done))/2
	case Plateau:
		rate, best, since := c.Rate, math.Inf(1), 0
		for _, e := range history {
			since++
			if e.ValLoss < best {
				best, since = e.ValLoss, 0
			}
			if since == PlateauEpochs {
				rate, since = max(rate/2, c.MinRate), 0
			}
		}
		return rate
	}
	return c.Rate
}

// ImagesPerEpoch returns how many images an epoch presents, when the set has n. The thesis' 36
// steps of 64 are 2,304.
func (c *Config) ImagesPerEpoch(n int) int {
	if c.StepsPerEpoch > 0 {
		return c.StepsPerEpoch * c.Batch
	}
	return n
}

// Validate refuses a configuration that cannot be trained.
func (c *Config) Validate() error {
	switch {
	case c.Epochs < 1 || c.Batch < 1 || !(c.Rate > 0) || math.IsInf(c.Rate, 0):
		return fmt.Errorf("training: %d epochs, batches of %d, learning rate %g: all must be positive",
			c.Epochs, c.Batch, c.Rate)
	case c.StepsPerEpoch < 0 || c.Patience < 0:
		return fmt.Errorf("training: %d steps per epoch, patience of %d epochs: neither can be negative",
			c.StepsPerEpoch, c.Patience)
	case c.Schedule != "" && !slices.Contains(Schedules, c.Schedule):
		return fmt.Errorf("training: unknown learning rate schedule %q, want one of %v", c.Schedule, Schedules)
	case !(c.MinRate >= 0 && c.MinRate <= c.Rate):
		return fmt.Errorf("training: minimum learning rate %g, want 0 to the learning rate, %g", c.MinRate, c.Rate)
	case !(c.CrackWeight >= 0 && c.CrackWeight <= maxWeight):
		return fmt.Errorf("training: weight %g of cracked tires, want 0 to %d", c.CrackWeight, maxWeight)
	case !(c.EMADecay >= 0 && c.EMADecay < 1):
		return fmt.Errorf("training: decay %g of the averaged weights, want 0 to below 1", c.EMADecay)
	}
	return c.Augment.Validate()
}

// maxWeight keeps a class weight from acting like a second learning rate.
const maxWeight = 1000

// Partial is the state inside an epoch that was interrupted.
type Partial struct {
	Batches int     `msg:"batches"` // batches done in this epoch
	Loss    float64 `msg:"loss"`    // sum over images
	Right   int     `msg:"right"`   // images classified correctly
	Seconds float64 `msg:"seconds"`
}

// Epoch is one row of the history.
type Epoch struct {
	Epoch int     `msg:"epoch" json:"epoch"` // counts from 1
	Rate  float64 `msg:"rate" json:"rate"`
	// mean, with dropout and augmentation
	TrainLoss     float64 `msg:"train_loss" json:"train_loss"`
	TrainAccuracy float64 `msg:"train_accuracy" json:"train_accuracy"`
	ValLoss       float64 `msg:"val_loss" json:"val_loss"`
	ValAccuracy   float64 `msg:"val_accuracy" json:"val_accuracy"`
	Seconds       float64 `msg:"seconds" json:"seconds"`
}

const (
	magic      = "TIRECKPT"
	headerSize = len(magic) + 4 + 8

	// MaxSize limits the size of a file before it is read, in bytes.
	MaxSize = 1 << 30

	// maxElements limits every array: the weights of one layer, as graph allows them
	maxElements = 1 << 26
)

var (
	// ErrNotCheckpoint marks a file of another kind.
	ErrNotCheckpoint = errors.New("not a checkpoint")
	// ErrDamaged marks a checkpoint whose bytes changed or are missing.
	ErrDamaged = errors.New("damaged checkpoint")
)

// VersionError says that a file has a format version that this program does not know.
type VersionError struct{ Have uint32 }

func (e *VersionError) Error() string {
	return fmt.Sprintf("unsupported version: the checkpoint has format %d, this program reads 1 to %d",
		e.Have, graph.NewestVersion)
}

// IsCheckpoint reports whether data begins like a checkpoint.
func IsCheckpoint(data []byte) bool { return bytes.HasPrefix(data, []byte(magic)) }

// Encode returns the bytes of a checkpoint.
func Encode(c *Checkpoint) ([]byte, error) {
	if err := c.checkTexts(); err != nil {
		return nil, fmt.Errorf("encode checkpoint: %w", err)
	}
	content, err := c.MarshalMsg(nil)
	if err != nil {
		return nil, fmt.Errorf("encode checkpoint: %w", err)
	}
	b := append(make([]byte, 0, headerSize+len(content)+sha256.Size), magic...)
	b = binary.LittleEndian.AppendUint32(b, c.version())
	b = binary.LittleEndian.AppendUint64(b, uint64(len(content)))
	b = append(b, content...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...), nil
}

// Decode reads the bytes of a checkpoint and checks everything that its users rely on: the
// checksum, the network, the preprocessing, and that the parameters fit the network.
func Decode(data []byte) (*Checkpoint, error) {
	if !IsCheckpoint(data) {
		return nil, ErrNotCheckpoint
	}
	if len(data) < headerSize+sha256.Size {
		return nil, fmt.Errorf("%w: the file has only %d bytes", ErrDamaged, len(data))
	}
	version := binary.LittleEndian.Uint32(data[len(magic):])
	if version < graph.Version1 || version > graph.NewestVersion {
		return nil, &VersionError{version}
	}
	body := data[:len(data)-sha256.Size]
	if n := binary.LittleEndian.Uint64(data[len(magic)+4:]); n != uint64(len(body)-headerSize) {
		return nil, fmt.Errorf("%w: the content has %d bytes, the header says %d", ErrDamaged, len(body)-headerSize, n)
	}
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], data[len(body):]) {
		return nil, fmt.Errorf("%w: wrong checksum", ErrDamaged)
	}
	if err := wire.Check(body[headerSize:], maxElements); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	c := new(Checkpoint)
	if _, err := c.UnmarshalMsg(body[headerSize:]); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if v := c.version(); v != version {
		return nil, fmt.Errorf("%w: format %d with content of version %d", ErrDamaged, version, v)
	}
	if err := c.checkTexts(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err := c.Spec.Validate(); err != nil {
		return nil, err
	}
	if in := c.Graph.Input; in != (graph.Shape{H: c.Spec.Height, W: c.Spec.Width, C: 1}) {
		return nil, fmt.Errorf("%w: the network takes %v, the preprocessing makes %d x %d",
			ErrDamaged, in, c.Spec.Height, c.Spec.Width)
	}
	if _, err := nn.FromParams(&c.Graph, c.Params); err != nil {
		return nil, err
	}
	if err := c.checkAverage(); err != nil {
		return nil, err
	}
	return c, nil
}

// checkAverage refuses averaged weights that do not fit the network. The weights fit it already.
func (c *Checkpoint) checkAverage() error {
	if c.Average == nil {
		return nil
	}
	if len(c.Average) != len(c.Params) {
		return fmt.Errorf("%w: %d averaged tensors, want %d", nn.ErrParams, len(c.Average), len(c.Params))
	}
	if _, err := nn.FromParams(&c.Graph, c.Averaged()); err != nil {
		return fmt.Errorf("averaged weights: %w", err)
	}
	return nil
}

// Averaged returns the parameters with the averaged weights, which share the memory of Average.
func (c *Checkpoint) Averaged() []nn.Param {
	out := slices.Clone(c.Params)
	for i := range out {
		out[i].Data = c.Average[i]
	}
	return out
}

// Write replaces the file at path. When it fails, the old file is unchanged.
func Write(path string, c *Checkpoint) error {
	data, err := Encode(c)
	if err != nil {
		return err
	}
	return durable.WriteFile(path, data, 0o644)
}

// ReadFile returns the bytes of the file at path, of any kind. It refuses files larger than
// MaxSize.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(data) > MaxSize {
		return nil, fmt.Errorf("read %s: %w: more than %d bytes", path, ErrDamaged, MaxSize)
	}
	return data, nil
}

// Read loads the file at path.
func Read(path string) (*Checkpoint, error) {
	data, err := ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	c, err := Decode(data)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint %s: %w", path, err)
	}
	return c, nil
}

// Net builds the network of the checkpoint.
func (c *Checkpoint) Net() (*nn.Net, error) { return nn.FromParams(&c.Graph, c.Params) }

// RequireGraph refuses a checkpoint of a network other than want.
func (c *Checkpoint) RequireGraph(want *graph.Graph) error {
	if have, want := c.Graph.Hash(), want.Hash(); have != want {
		return &graph.MismatchError{Have: have, Want: want}
	}
	return nil
}
