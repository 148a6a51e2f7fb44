package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"tirewatch/cmd/internal/cli"
	"tirewatch/trainer/base"
	"tirewatch/trainer/checkpoint"
	"tirewatch/trainer/transfer"
	"tirewatch/vision/graph"
	"tirewatch/vision/preprocess"
)

// Names of the networks for --network.
const (
	networkThesis = "thesis"
	networkMobile = "mobile"
)

// networkFlags choose the network and what it starts from.
type networkFlags struct {
	name         string
	size, blocks int
	base         string // file
	headOnly     bool
	from         string // first block to fine-tune
}

func (f *networkFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.name, "network", networkThesis,
		"network: thesis, which starts from drawings, or mobile, which starts from photographs (tirewatch base)")
	fl.IntVar(&f.size, "size", base.Size, "px, both sides of the image that the network mobile sees; a multiple of 32")
	fl.IntVar(&f.blocks, "blocks", base.Blocks, "blocks of the network mobile")
	fl.StringVar(&f.base, "base", "", "file of the pretrained base (default: the one that tirewatch base shows)")
	fl.BoolVar(&f.headOnly, "no-finetune", false, "only fit the score layer of the network mobile, in seconds")
	fl.StringVar(&f.from, "finetune-from", "", "first block of the network mobile that fine-tuning changes "+
		"(default: the middle one, block5 of 9)")
}

// Flags that only one of the networks has.
var (
	mobileFlags = []string{"size", "blocks", "base", "no-finetune", "finetune-from"}
	thesisFlags = []string{"validation", "augment", "no-augment", "steps-per-epoch", "patience", "schedule", "ema-decay",
		"min-rate", "class-weights", "finetune", "from-scratch", "freeze", "show-augmentation"}
	fineTuneFlags = []string{"epochs", "batch", "rate", "finetune-from"}
)

// mobile reports whether the network is graph.Mobile.
func (f *networkFlags) mobile() bool { return f.name == networkMobile }

// check refuses flags of the other network and completes the own ones.
func (f *networkFlags) check(cmd *cobra.Command, cfg *checkpoint.Config) error {
	given := func(names []string) (first string) {
		for _, name := range names {
			if fl := cmd.Flags().Lookup(name); fl != nil && fl.Changed && first == "" {
				first = name
			}
		}
		return first
	}
	switch f.name {
	case networkThesis:
		if name := given(mobileFlags); name != "" {
			return cli.Usagef("--%s is for --network mobile", name)
		}
		return nil
	case networkMobile:
	default:
		return cli.Usagef("--network %q: want thesis or mobile", f.name)
	}
	if name := given(thesisFlags); name != "" {
		return cli.Usagef("--%s is for --network thesis", name)
	}
	if name := given(fineTuneFlags); name != "" && f.headOnly {
		return cli.Usagef("--%s is for fine-tuning, which --no-finetune leaves out", name)
	}
	if f.size < 64 || f.size > 1024 || f.size%32 != 0 {
		return cli.Usagef("--size %d: want a multiple of 32 from 64 to 1024", f.size)
	}
	if f.blocks < 1 || f.blocks > base.Blocks {
		return cli.Usagef("--blocks %d: the base has 1 to %d", f.blocks, base.Blocks)
	}
	if f.from == "" {
		f.from = fmt.Sprint("block", (f.blocks+1)/2)
	}
	var blocks []string
	for i := range f.blocks {
		blocks = append(blocks, fmt.Sprint("block", i+1))
	}
	if !slices.Contains(blocks, f.from) {
		return cli.Usagef("--finetune-from %q: want one of %s", f.from, strings.Join(blocks, ", "))
	}
	recipe := transfer.FineTuneDefaults(f.size)
	for name, set := range map[string]func(){
		"epochs": func() { cfg.Epochs = recipe.Epochs },
		"batch":  func() { cfg.Batch = recipe.Batch },
		"rate":   func() { cfg.Rate = recipe.Rate },
	} {
		if given([]string{name}) == "" {
			set()
		}
	}
	return nil
}

// spec returns the preprocessing of the network.
func (f *networkFlags) spec() preprocess.Spec {
	spec := preprocess.Thesis()
	if f.mobile() {
		spec.Width, spec.Height = f.size, f.size
	}
	return spec
}

// graph returns the network.
func (f *networkFlags) graph() *graph.Graph {
	if f.mobile() {
		return graph.Mobile(f.size, f.blocks)
	}
	return graph.Thesis()
}

// recipe returns how the upper blocks are fine-tuned.
func (f *networkFlags) recipe(cfg *checkpoint.Config) transfer.FineTuneConfig {
	recipe := transfer.FineTuneDefaults(f.size)
	recipe.Epochs, recipe.Batch, recipe.Rate, recipe.Seed = cfg.Epochs, cfg.Batch, cfg.Rate, cfg.Seed
	return recipe
}
