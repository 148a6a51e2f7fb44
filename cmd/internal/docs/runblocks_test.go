package docs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// firstWords are the programs that a command of the documentation may start. A block that starts
// with none of them holds no commands.
var firstWords = []string{
	"tirewatch", "tirewatch-agent", "bin/tirewatch", "bin/tirewatch-agent",
	"make", "go", "sudo", "systemctl", "journalctl", "gpioinfo", "ssh", "curl", "openssl",
	"mosquitto_sub", "mosquitto_pub", "echo", "mkdir", "cp", "grep", "man",
}

// commandBlock is a block of commands: indented by four spaces, or fenced, without a language or
// with sh.
type commandBlock struct {
	onHardware bool // not run by the tests
	commands   []commandLine
}

// commandLine is a command, without comment and continuation lines.
type commandLine struct {
	where string // file:line
	text  string
}

var (
	remark      = regexp.MustCompile(`(^|\s+)# .*$`)
	environment = regexp.MustCompile(`^([A-Z_]+=\S* +)+`)
)

// firstWord returns the program of a command line, without prompt and environment.
func firstWord(line string) string {
	line = environment.ReplaceAllString(strings.TrimPrefix(strings.TrimSpace(line), "$ "), "")
	word, _, _ := strings.Cut(line, " ")
	return word
}

func startsCommand(line string) bool { return slices.Contains(firstWords, firstWord(line)) }

// outside is the fence of lines that are in none.
const outside = "-"

// commandBlocks returns the blocks of commands of a document. Errors name commands that would
// escape the test.
func commandBlocks(file, text string) (all []commandBlock, errs []error) {
	var lines []string // of the block that is being read
	var first int      // line number of lines[0]
	fence := outside   // language of the fence
	marked := false
	end := func() {
		if len(lines) == 0 {
			return
		}
		if startsCommand(lines[0]) && slices.Contains([]string{outside, "", "sh"}, fence) {
			b := commandBlock{onHardware: marked}
			var bad []error
			b.commands, bad = splitCommands(file, first, lines)
			all, errs = append(all, b), append(errs, bad...)
		} else {
			for i, line := range lines {
				if word := firstWord(line); ours.MatchString(strings.TrimSpace(line)) || word == "sudo" {
					errs = append(errs, fmt.Errorf("%s:%d: a command in a block of text: %s", file, first+i, line))
				}
			}
		}
		lines, marked = nil, false
	}
	for i, line := range strings.Split(text, "\n") {
		code, indented := strings.CutPrefix(line, "    ")
		switch {
		case strings.HasPrefix(line, "```"):
			end()
			if fence == outside {
				fence = strings.TrimPrefix(line, "```")
			} else {
				fence = outside
			}
			continue
		case fence == outside && !indented:
			end()
			if line == hardware {
				marked = true
			} else if strings.TrimSpace(line) != "" {
				marked = false
			}
			continue
		case fence != outside:
			code = line
		}
		if len(lines) == 0 {
			first = i + 1
		}
		lines = append(lines, code)
	}
	end()
	return all, errs
}

// splitCommands joins continued lines and drops comments.
func splitCommands(file string, first int, lines []string) (all []commandLine, errs []error) {
	open := false
	for i, line := range lines {
		line = strings.TrimPrefix(line, "$ ")
		text, more := strings.CutSuffix(strings.TrimSpace(remark.ReplaceAllString(line, "")), "\\")
		text = strings.TrimSpace(text)
		switch {
		case open:
			all[len(all)-1].text += " " + text
		case text == "":
			continue
		default:
			where := fmt.Sprintf("%s:%d", file, first+i)
			if !startsCommand(text) {
				errs = append(errs, fmt.Errorf("%s: unknown program in %q: add it to firstWords", where, text))
			}
			all = append(all, commandLine{where, text})
		}
		open = more
	}
	return all, errs
}

// The reader of the documents finds what it must find.
func TestCommandBlocks(t *testing.T) {
	text := strings.Join([]string{
		"Text `make demo`.", "",
		"    make demo     # draws tires", "    bin/tirewatch push a.tire \\", "        --broker mqtt://broker", "",
		hardware, "", "    $ sudo apt update", "", "```sh", "echo a#b", "```",
		"```text", "photographs --> train", "```",
		"```toml", "loop = true", "```", "", "    {\"json\": 1}", "",
		"```text", "sudo hidden", "```", "    make x", "    rm -rf y",
	}, "\n")
	all, errs := commandBlocks("x.md", text)
	var got []string
	for _, b := range all {
		for _, c := range b.commands {
			got = append(got, fmt.Sprint(c.where, " ", b.onHardware, " ", c.text))
		}
	}
	want := []string{
		"x.md:3 false make demo",
		"x.md:4 false bin/tirewatch push a.tire --broker mqtt://broker",
		"x.md:9 true sudo apt update",
		"x.md:12 false echo a#b",
		"x.md:26 false make x",
		"x.md:27 false rm -rf y",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var lines []string
	for _, err := range errs {
		lines = append(lines, strings.Fields(err.Error())[0])
	}
	if want := []string{"x.md:24:", "x.md:27:"}; !slices.Equal(lines, want) {
		t.Errorf("errors %v, want lines %v", errs, want)
	}
}
