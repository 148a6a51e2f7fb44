package docs

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// documents returns the documents of the project, by path.
func documents(t *testing.T) []string {
	t.Helper()
	all := []string{"README.md", "ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md", "firmware-config/README.md"}
	err := fs.WalkDir(os.DirFS(root), "docs", func(name string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".md") {
			all = append(all, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

var (
	fence = regexp.MustCompile("(?ms)^```.*?^```$")
	code  = regexp.MustCompile("`[^`\n]*`")
	links = regexp.MustCompile(`\]\(\s*([^)\s]+)[^)]*\)|<(?:img|a)\b[^>]*\b(?:src|href)="([^"]+)"`)
)

// prose removes code, in which brackets are not links.
func prose(text string) string {
	var out strings.Builder
	for line := range strings.Lines(fence.ReplaceAllString(text, "")) {
		if !strings.HasPrefix(line, "    ") {
			out.WriteString(line)
		}
	}
	return out.String()
}

// anchors returns the names of the headings of a document, as GitHub makes them.
func anchors(text string) []string {
	var out []string
	seen := map[string]int{}
	for line := range strings.Lines(prose(text)) {
		hashes, title, ok := strings.Cut(line, " ")
		if !ok || hashes == "" || strings.Trim(hashes, "#") != "" {
			continue
		}
		name := anchor(title)
		if n := seen[name]; n > 0 {
			out = append(out, name+"-"+strconv.Itoa(n))
		} else {
			out = append(out, name)
		}
		seen[name]++
	}
	return out
}

// anchor is the name of one heading: lower case, spaces as hyphens, no punctuation.
func anchor(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, strings.TrimSpace(title))
}

// Every relative link and every image of the documents leads to a file, and every anchor to a
// heading.
func TestLinks(t *testing.T) {
	for _, name := range documents(t) {
		text := prose(read(t, name))
		for _, m := range links.FindAllStringSubmatch(code.ReplaceAllString(text, "code"), -1) {
			link := m[1] + m[2]
			if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
				continue
			}
			target, heading, _ := strings.Cut(link, "#")
			file := name
			if target != "" {
				file = path.Join(path.Dir(name), target)
			}
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(file))); err != nil {
				t.Errorf("%s: dead link %s", name, link)
			} else if heading != "" && !slices.Contains(anchors(read(t, file)), heading) {
				t.Errorf("%s: %s has no heading #%s", name, file, heading)
			}
		}
	}
}

func TestAnchors(t *testing.T) {
	got := anchors("# The agent's `page`, in 3 parts\n```\n# no heading\n```\n## Twice\n## Twice\n")
	if want := []string{"the-agents-page-in-3-parts", "twice", "twice-1"}; !slices.Equal(got, want) {
		t.Errorf("anchors %q, want %q", got, want)
	}
}

// The list of decisions names each decision once, and the numbers are 1 to the last.
func TestDecisions(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "docs", "decisions", "[0-9]*.md"))
	if err != nil {
		t.Fatal(err)
	}
	list := read(t, "docs/decisions/README.md")
	for i, file := range files {
		name := filepath.Base(file)
		number := strconv.Itoa(i + 1)
		if digits, _, _ := strings.Cut(name, "-"); strings.TrimPrefix(digits, "0") != number {
			t.Errorf("decision %s is not number %s", name, number)
		}
		text := read(t, "docs/decisions/"+name)
		line, _, _ := strings.Cut(text, "\n")
		title, ok := strings.CutPrefix(line, "# "+number+". ")
		if !ok || !strings.Contains(list, "\n| "+number+" | ["+title+"]("+name+") |\n") {
			t.Errorf("docs/decisions/README.md does not list %s as %q", name, line)
		}
		for _, part := range []string{"## Context", "## Decision", "## Consequences"} {
			if strings.Count(text, "\n"+part+"\n") != 1 {
				t.Errorf("%s needs one heading %q", name, part)
			}
		}
	}
	if len(files) == 0 {
		t.Error("no decisions")
	}
}
