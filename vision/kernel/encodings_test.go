package kernel

import (
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// macro is an instruction of ops_arm64.h.
type macro struct {
	// text is the assembler's text, with \d for argument d; word is a Go expression
	name, text, word string
	args             []string
}

var macroLines = regexp.MustCompile(`(?m)^// (.*)\n#define (\w+)\(([^)]*)\) WORD \$\((.*)\)$`)

func readMacros(t *testing.T) []macro {
	t.Helper()
	src, err := os.ReadFile("ops_arm64.h")
	if err != nil {
		t.Fatal(err)
	}
	var out []macro
	for _, m := range macroLines.FindAllStringSubmatch(string(src), -1) {
		out = append(out, macro{name: m[2], text: m[1], word: m[4], args: strings.Split(m[3], ", ")})
	}
	if n := strings.Count(string(src), "#define"); n == 0 || n != len(out) {
		t.Fatalf("%d of %d macros have the form that this test reads", len(out), n)
	}
	return out
}

// expand returns the text and the word of a macro for given values of its arguments.
func (m macro) expand(t *testing.T, values map[string]int) (text string, word uint32) {
	t.Helper()
	text = m.text
	expr := m.word
	for _, a := range m.args {
		v := fmt.Sprint(values[a])
		text = strings.ReplaceAll(text, `\`+a, v)
		expr = regexp.MustCompile(`\b`+a+`\b`).ReplaceAllLiteralString(expr, v)
	}
	r, err := types.Eval(token.NewFileSet(), nil, token.NoPos, expr)
	if err != nil {
		t.Fatalf("%s: %v", m.name, err)
	}
	u, exact := constant.Uint64Val(r.Value)
	if !exact || u>>32 != 0 {
		t.Fatalf("%s: %s is not a word", m.name, expr)
	}
	return text, uint32(u)
}

// knownWords has one instruction for each macro, assembled with GNU as 2.40.
var knownWords = map[string]uint32{
	"sdot v1.4s, v2.16b, v3.4b[3]": 0x4fa3e841,
	"smull v1.8h, v2.8b, v3.8b":    0x0e23c041,
	"smull2 v1.8h, v2.16b, v3.16b": 0x4e23c041,
	"smlal v1.8h, v2.8b, v3.8b":    0x0e238041,
	"smlal2 v1.8h, v2.16b, v3.16b": 0x4e238041,
	"sadalp v1.4s, v2.8h":          0x4e606841,
	"saddw v1.4s, v2.4s, v3.4h":    0x0e631041,
	"saddw2 v1.4s, v2.4s, v3.8h":   0x4e631041,
	"smlal v1.4s, v2.4h, v3.h[3]":  0x0f732041,
	"smlal2 v1.4s, v2.8h, v3.h[3]": 0x4f732041,
	"sshr v1.8h, v2.8h, #8":        0x4f180441,
	"smax v1.4s, v2.4s, v3.4s":     0x4ea36441,
	"scvtf v1.4s, v2.4s":           0x4e21d841,
	"fmul v1.4s, v2.4s, v3.4s":     0x6e23dc41,
	"fadd v1.4s, v2.4s, v3.4s":     0x4e23d441,
	"fcvtns v1.4s, v2.4s":          0x4e21a841,
	"sqxtn v1.4h, v2.4s":           0x0e614841,
	"sqxtn2 v1.8h, v2.4s":          0x4e614841,
	"sqxtun v1.8b, v2.8h":          0x2e212841,
	"sqxtun2 v1.16b, v2.8h":        0x6e212841,
	"sdot v1.4s, v2.16b, v3.16b":   0x4e839441,
	"fmla v1.4s, v2.4s, v3.4s":     0x4e23cc41,
	"fcvtnu v1.4s, v2.4s":          0x6e21a841,
	"uqxtn v1.4h, v2.4s":           0x2e614841,
	"uqxtn2 v1.8h, v2.4s":          0x6e614841,
	"uqxtn v1.8b, v2.8h":           0x2e214841,
	"uqxtn2 v1.16b, v2.8h":         0x6e214841,
}

func TestEncodingsKnown(t *testing.T) {
	for _, m := range readMacros(t) {
		text, word := m.expand(t, map[string]int{"d": 1, "n": 2, "m": 3, "i": 3})
		if want, ok := knownWords[text]; !ok || word != want {
			t.Errorf("%s: %s is %#08x, want %#08x", m.name, text, word, want)
		}
	}
}

// Every register as every argument, and every lane.
func TestEncodings(t *testing.T) {
	const as, objcopy = "aarch64-linux-gnu-as", "aarch64-linux-gnu-objcopy"
	for _, tool := range []string{as, objcopy} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed (package binutils-aarch64-linux-gnu); "+
				"TestEncodingsKnown checked one word of each macro", tool)
		}
	}
	var texts []string
	var words []uint32
	for _, m := range readMacros(t) {
		regs, lanes := 32, 1 // 16-bit lanes can only be those of the first 16 registers
		switch {
		case strings.HasSuffix(m.text, `.4b[\i]`):
			lanes = 4
		case strings.HasSuffix(m.text, `.h[\i]`):
			regs, lanes = 16, 8
		}
		for r := range 32 {
			for i := range lanes {
				text, word := m.expand(t, map[string]int{"d": r, "n": (r + 5) % 32, "m": (r + 11) % regs, "i": i})
				texts, words = append(texts, text), append(words, word)
			}
		}
	}
	dir := t.TempDir()
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "ops.s"), []byte(strings.Join(texts, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(as, "-march=armv8.2-a+dotprod", "-o", "ops.o", "ops.s")
	run(objcopy, "-O", "binary", "-j", ".text", "ops.o", "ops.bin")
	bin, err := os.ReadFile(filepath.Join(dir, "ops.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if len(bin) != 4*len(words) {
		t.Fatalf("%d bytes assembled for %d instructions", len(bin), len(words))
	}
	for i, word := range words {
		want := uint32(bin[4*i]) | uint32(bin[4*i+1])<<8 | uint32(bin[4*i+2])<<16 | uint32(bin[4*i+3])<<24
		if word != want {
			t.Errorf("%s: %#08x, want %#08x", texts[i], word, want)
		}
	}
}
