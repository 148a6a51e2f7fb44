package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"tirewatch/agent"
	"tirewatch/agent/config"
	"tirewatch/agent/models"
	"tirewatch/vision/bundle"
)

// model checks the model that the next start would use.
func (d *doctor) model() {
	push := fmt.Sprintf("tirewatch push FILE.tire --broker %s --station %s",
		cmp.Or(d.cfg.MQTT.Broker, "BROKER"), d.cfg.Station.ID())
	found, notes, err := inspectModel(d.cfg)
	switch {
	case errors.Is(err, models.ErrNoModel):
		d.report(Finding{"model", Failed, err.Error(),
			"push one from a PC: " + push + "; or set model.initial or model.inbox"})
	case errors.Is(err, bundle.ErrUntrustedKey):
		d.report(Finding{"model", Failed, err.Error(), "add the public key of the signer to model.keys"})
	case errors.Is(err, fs.ErrNotExist):
		d.report(Finding{"model", Failed, err.Error(), "copy the file there, or correct its path in section [model]"})
	case err != nil:
		d.report(Finding{"model", Failed, err.Error(),
			"use another bundle: set model.initial, or push one from a PC: " + push})
	case len(notes) > 0:
		d.report(Finding{"model", Warning, found + "; " + strings.Join(notes, "; "),
			"push the bundle again from a PC, with a higher serial: " + push})
	default:
		d.report(Finding{"model", OK, found, ""})
	}
}

const nothingYet = "none yet: the station waits until one is pushed"

// Model tells in words with which model a station of this configuration starts. The golden inputs
// are run for it. A station without a model is not an error.
func Model(cfg *config.Config) (words string, err error) {
	words, _, err = inspectModel(cfg)
	if words == nothingYet {
		err = nil
	}
	return words, err
}

// inspectModel returns the model in words, the warnings of the model store, and why there is no
// model.
func inspectModel(cfg *config.Config) (words string, notes []string, err error) {
	var warnings notebook
	o, err := agent.ModelOptions(cfg, slog.New(&warnings))
	if err != nil {
		return "unknown", nil, err
	}
	shot, err := models.Inspect(o)
	if err == nil {
		b := shot.Active.Bundle
		words := fmt.Sprintf("serial %d (%s), installed in %s", b.Serial, b.ID(), cfg.Model.Dir)
		if t := shot.Trial; t != nil {
			words += fmt.Sprintf(", on probation: %d of %d verdicts, %d of %d different from the previous model",
				t.Verdicts, t.Of, t.Disagreements, t.Compared)
			if t.Unsure > 0 {
				words += fmt.Sprintf(", %d unsure", t.Unsure)
			}
		}
		words += answers(b, cfg.Reject)
		return words, warnings.lines, nil
	}
	// an error that wraps the sentinel means that there is a model, and says what is wrong with it
	if cfg.Model.Initial == "" && err == models.ErrNoModel {
		return nothingYet, nil, err
	}
	if cfg.Model.Initial == "" || !errors.Is(err, models.ErrNoModel) {
		return "unknown", nil, err
	}
	data, err := bundle.ReadFile(cfg.Model.Initial)
	if err != nil {
		return "unknown", nil, err
	}
	m, err := o.Verify(data)
	if err != nil {
		return "unknown", nil, fmt.Errorf("initial model %s: %w", cfg.Model.Initial, err)
	}
	b := m.Bundle
	words = fmt.Sprintf("none yet: serial %d (%s) is installed from %s", b.Serial, b.ID(), cfg.Model.Initial)
	words += answers(b, cfg.Reject)
	return words, warnings.lines, nil
}

// answers describes the answers of a model with two thresholds, and what happens to unsure tires.
func answers(b *bundle.Bundle, r config.Reject) string {
	p := b.Policy("")
	if !p.Three() {
		return ""
	}
	then := "rejected"
	if r.OnUnsure == config.OnPass {
		then = "let pass"
	}
	return fmt.Sprintf("; sound below %.4g, crack from %.4g, unsure tires between are %s (reject.on_unsure)", p.SoundBelow,
		p.Threshold, then)
}

// notebook is a log handler that keeps warnings and errors.
type notebook struct{ lines []string }

func (n *notebook) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }
func (n *notebook) WithAttrs([]slog.Attr) slog.Handler           { return n }
func (n *notebook) WithGroup(string) slog.Handler                { return n }

func (n *notebook) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "error" {
			line += ": " + a.Value.String()
		}
		return true
	})
	n.lines = append(n.lines, line)
	return nil
}
