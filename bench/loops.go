package main

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

// models are llvm-mca's models of the cores. LLVM uses the scheduling model of the A57 for the
// Cortex-A72, which has the same pipelines. It has none for the A76, but the Neoverse N1 is the
// server version of that core.
var models = []struct{ name, cpu string }{
	{"Cortex-A72", "cortex-a72"},
	{"Cortex-A76", "neoverse-n1"},
}

// kernelPackage is where the assembly is; its symbols end in .abi0.
const kernelPackage = "tirewatch/vision/kernel."

// loops prints the cycles that llvm-mca computes for one iteration of each innermost loop of the
// kernels: the limit of the pipelines when nothing waits, and the simulated number with all
// dependences. Caches are not included.
func loops(w io.Writer, binary string) error {
	symbols, err := assembly(binary)
	if err != nil {
		return err
	}
	if len(symbols) == 0 {
		fmt.Fprintln(w, "\nno arm64 assembly in this build")
		return nil
	}
	fmt.Fprintln(w, "\ninnermost loops, one iteration by llvm-mca: simulated cycles (limit of the pipelines), multiply-accumulates per cycle")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "loop\tinstructions\tMACs")
	for _, m := range models {
		fmt.Fprintf(t, "\t%s\tMAC/cycle", m.name)
	}
	fmt.Fprintln(t)
	for _, s := range symbols {
		code, err := disassemble(binary, s)
		if err != nil {
			return err
		}
		for _, l := range innermost(code) {
			macs := l.macs()
			fmt.Fprintf(t, "%s+%d\t%d\t%d",
				strings.TrimSuffix(strings.TrimPrefix(s, kernelPackage), ".abi0"), l.offset, len(l.body), macs)
			for _, m := range models {
				cycles, limit, err := l.simulate(m.cpu)
				switch {
				case err != nil:
					return fmt.Errorf("%s+%d: %w", s, l.offset, err)
				case cycles == 0:
					fmt.Fprint(t, "\t-\t-")
				case macs == 0:
					fmt.Fprintf(t, "\t%.1f (%.1f)\t-", cycles, limit)
				default:
					fmt.Fprintf(t, "\t%.1f (%.1f)\t%.1f", cycles, limit, float64(macs)/cycles)
				}
			}
			fmt.Fprintln(t)
		}
	}
	return t.Flush()
}

// assembly lists the assembly functions of the kernels.
func assembly(binary string) ([]string, error) {
	out, err := output("aarch64-linux-gnu-nm", binary)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, word := range strings.Fields(out) {
		if strings.HasPrefix(word, kernelPackage) && strings.HasSuffix(word, ".abi0") {
			names = append(names, word)
		}
	}
	slices.Sort(names)
	return names, nil
}

// instruction is one line of a disassembly.
type instruction struct {
	at     uint64 // address
	text   string // assembler text, without the target of a branch
	target uint64 // of a branch inside the program, otherwise 0
}

var (
	line   = regexp.MustCompile(`^\s*([0-9a-f]+):\t(.*)$`)
	branch = regexp.MustCompile(`^((?:b\.\w+|b|cbn?z|tbn?z)\s.*?)([0-9a-f]+) <[^>]*>$`)
)

func disassemble(binary, symbol string) ([]instruction, error) {
	out, err := output("aarch64-linux-gnu-objdump", "-d", "--no-show-raw-insn", "--disassemble="+symbol, binary)
	if err != nil {
		return nil, err
	}
	var code []instruction
	for l := range strings.Lines(out) {
		m := line.FindStringSubmatch(strings.TrimSpace(l))
		if m == nil {
			continue
		}
		var i instruction
		fmt.Sscanf(m[1], "%x", &i.at)
		i.text, _, _ = strings.Cut(m[2], " //")
		i.text = strings.TrimSpace(i.text)
		if b := branch.FindStringSubmatch(i.text); b != nil {
			i.text = b[1]
			fmt.Sscanf(b[2], "%x", &i.target)
		}
		code = append(code, i)
	}
	return code, nil
}

// loop is the body of an innermost loop, including the backward branch.
type loop struct {
	offset uint64 // from the start of the function
	body   []instruction
}

// innermost finds the backward branches that contain no other backward branch.
func innermost(code []instruction) []loop {
	var found []loop
	for end, i := range code {
		if i.target == 0 || i.target > i.at {
			continue
		}
		begin := slices.IndexFunc(code, func(c instruction) bool { return c.at == i.target })
		if begin < 0 {
			continue
		}
		inner := slices.ContainsFunc(code[begin:end], func(c instruction) bool {
			return c.target >= i.target && c.target != 0 && c.target <= c.at
		})
		if !inner {
			found = append(found, loop{i.target - code[0].at, code[begin : end+1]})
		}
	}
	return found
}

// macs counts the multiply-accumulates of integers of at least 8 bits in one iteration.
func (l loop) macs() int {
	lanes := map[string]int{"16b": 16, "8b": 8, "8h": 8, "4h": 4, "4s": 4, "2s": 2}
	sum := 0
	for _, i := range l.body {
		op, operands, _ := strings.Cut(i.text, "\t")
		_, arrangement, _ := strings.Cut(operands, ".") // arrangement of the destination
		arrangement, _, _ = strings.Cut(arrangement, ",")
		switch op {
		case "sdot", "udot":
			sum += 4 * lanes[arrangement]
		case "smull", "smull2", "smlal", "smlal2", "umull", "umull2", "umlal", "umlal2", "mul", "mla":
			sum += lanes[arrangement]
		}
	}
	return sum
}

const turns = 200

// simulate runs the loop through llvm-mca. It returns zero cycles when the core lacks an
// instruction.
func (l loop) simulate(cpu string) (cycles, limit float64, err error) {
	var text strings.Builder
	text.WriteString("loop:\n")
	for _, i := range l.body {
		text.WriteString(i.text)
		if i.target != 0 {
			text.WriteString("loop")
		}
		text.WriteByte('\n')
	}
	cmd := exec.Command("llvm-mca-19", "-mtriple=aarch64", "-mcpu="+cpu, fmt.Sprintf("-iterations=%d", turns), "-")
	cmd.Stdin = strings.NewReader(text.String())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if strings.Contains(stderr.String(), "instruction requires") {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%w\n%s", err, stderr.String())
	}
	for l := range strings.Lines(string(out)) {
		fmt.Sscanf(l, "Total Cycles: %g", &cycles)
		fmt.Sscanf(l, "Block RThroughput: %g", &limit)
	}
	return cycles / turns, limit, nil
}

func output(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", name, err, stderr.String())
	}
	return string(out), nil
}
