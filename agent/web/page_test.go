package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"io/fs"
	"maps"
	"math"
	"math/big"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/language"

	"tirewatch/agent/config"
	"tirewatch/vision/verdict"
)

// certificate writes a self-signed certificate for localhost and its key.
func certificate(t testing.TB, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"},
	}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for path, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// usedKeys returns the message keys in templates and scripts. The prefix of a computed key ends in
// a dot.
func usedKeys(t *testing.T) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	patterns := []*regexp.Regexp{
		regexp.MustCompile(`\.T "([^"]+)"`), regexp.MustCompile(`'((?:[a-z]+\.)+[a-z_]+)'`),
		regexp.MustCompile(`\bt\('([^']+)'`), regexp.MustCompile(`Failed = "([^"]+)"`),
	}
	for _, glob := range []string{"*.html", "static/*.js", "pages.go"} {
		names, err := fs.Glob(os.DirFS("."), glob)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", glob, names, err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, pattern := range patterns {
				for _, m := range pattern.FindAllStringSubmatch(string(text), -1) {
					keys[m[1]] = true
				}
			}
		}
	}
	return keys
}

// Every language has every message with the same placeholders, and no message is unused.
func TestLanguagesAreComplete(t *testing.T) {
	english := catalogue()[language.English.String()]
	placeholder := regexp.MustCompile(`\{\w+\}`)
	for lang, messages := range catalogue() {
		for key := range english {
			if strings.TrimSpace(messages[key]) == "" {
				t.Errorf("%s lacks %s", lang, key)
			}
			want, got := placeholder.FindAllString(english[key], -1), placeholder.FindAllString(messages[key], -1)
			if slices.Sort(want); !slices.Equal(want, slices.Sorted(slices.Values(got))) {
				t.Errorf("%s: %s has %v, want %v", lang, key, got, want)
			}
		}
		if len(messages) != len(english) {
			t.Errorf("%s has %d messages, English has %d", lang, len(messages), len(english))
		}
	}
	keys := usedKeys(t)
	prefixes := []string{}
	for key := range keys {
		if strings.HasSuffix(key, ".") {
			prefixes = append(prefixes, key)
		}
	}
	for key := range keys {
		known := english[key] != "" || slices.Contains(prefixes, key)
		if strings.Contains(key, ".") && !known && !strings.HasSuffix(key, ".js") && !strings.HasPrefix(key, "p.") {
			if !elementName.MatchString(key) {
				t.Errorf("message %s is missing", key)
			}
		}
	}
	for key := range english {
		if !keys[key] && !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
			t.Errorf("message %s is unused", key)
		}
	}
}

// elementName matches the first argument of el and draw of core.js, a tag with its classes, which
// looks like a key.
var elementName = regexp.MustCompile(`^(span|p|div|li|ul|ol|svg|rect|circle|path|button|dl|h2)\.`)

func TestLanguageOfTheReader(t *testing.T) {
	p, _ := newPage(t, config.Page{Listen: "127.0.0.1:8080"})
	for accept, want := range map[string]string{
		"": "en", "de-AT,de;q=0.9,en;q=0.5": "de", "id": "id", "in": "id", "fr,id;q=0.3": "id",
		"ja": "en", "en-US": "en", "*;q=x": "en",
	} {
		v := visit(t, p)
		answer := v.ask("GET", "/", "", func(r *http.Request) {
			r.Host = "localhost"
			r.Header.Set("Accept-Language", accept)
		})
		if got := answerText(t, answer); !strings.Contains(got, `<html lang="`+want+`">`) {
			t.Errorf("Accept-Language %q: the page is not in %s", accept, want)
		}
	}
	v := visit(t, p)
	here := func(r *http.Request) { r.Host = "localhost"; r.Header.Set("Accept-Language", "de") }
	v.ask("GET", "/language/id", "", here)
	if got := answerText(t, v.ask("GET", "/", "", here)); !strings.Contains(got, `<html lang="id">`) {
		t.Error("the page is not in the chosen language")
	}
}

func answerText(t *testing.T, r *http.Response) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// firstPaint limits what a browser loads before it shows the page, bytes. Responses are not
// compressed.
const firstPaint = 100_000

func TestFirstPaint(t *testing.T) {
	p, _ := newPage(t, config.Page{Listen: "127.0.0.1:8080"})
	p.o.Review = emptyReview{} // the page with all its views
	for _, lang := range languages {
		v := visit(t, p)
		here := func(r *http.Request) {
			r.Host = "localhost"
			r.Header.Set("Accept-Language", lang.String())
		}
		sum := len(answerText(t, v.ask("GET", "/", "", here)))
		var names []string
		for _, name := range slices.Sorted(maps.Keys(etags())) {
			names = append(names, name)
			sum += len(answerText(t, v.ask("GET", "/static/"+name, "", here)))
		}
		t.Logf("%s: %d bytes, headers included: the page and %s", lang, sum, strings.Join(names, ", "))
		if sum >= firstPaint {
			t.Errorf("%s: %d bytes, want less than %d", lang, sum, firstPaint)
		}
	}
}

// A browser that has a file receives 304 and not the file.
func TestFilesAreSentOnce(t *testing.T) {
	p, _ := newPage(t, config.Page{Listen: "127.0.0.1:8080"})
	v := visit(t, p)
	tag := v.ask("GET", "/static/page.css", "", func(r *http.Request) { r.Host = "localhost" }).Header.Get("ETag")
	answer := v.ask("GET", "/static/page.css", "", func(r *http.Request) {
		r.Host = "localhost"
		r.Header.Set("If-None-Match", tag)
	})
	if tag == "" || answer.StatusCode != http.StatusNotModified {
		t.Errorf("tag %q: status %d, want 304", tag, answer.StatusCode)
	}
}

// The page's files refer to no other host and use nothing that the content policy forbids.
func TestFilesStayHome(t *testing.T) {
	elsewhere := regexp.MustCompile(`https?://[^\s'"]+|//[a-z]+\.[a-z]|style="|\son[a-z]+="|javascript:`)
	for _, glob := range []string{"*.html", "static/*"} {
		names, err := fs.Glob(files, glob)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := files.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, found := range elsewhere.FindAllString(string(text), -1) {
				if found != "http://www.w3.org/2000/svg" { // the namespace of SVG, which no browser loads
					t.Errorf("%s: %s", name, found)
				}
			}
		}
	}
}

// emptyReview is an empty queue.
type emptyReview struct{}

func (emptyReview) Waiting() (int, error)               { return 0, nil }
func (emptyReview) Next(int) ([]verdict.Verdict, error) { return nil, nil }
func (emptyReview) Label(uint64, verdict.Label) error   { return nil }

// Text has a contrast of 4.5 or more to its background in both colour schemes (WCAG 2.2, success
// criterion 1.4.3).
func TestContrast(t *testing.T) {
	sheet, err := files.ReadFile("static/page.css")
	if err != nil {
		t.Fatal(err)
	}
	variable := regexp.MustCompile(`--([a-z_-]+): (#[0-9a-f]{3,6});`)
	light, dark, ok := strings.Cut(string(sheet), "prefers-color-scheme: dark")
	if !ok {
		t.Fatal("page.css has no dark scheme")
	}
	for name, text := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]string{}
		for _, m := range variable.FindAllStringSubmatch(text, -1) {
			colours[m[1]] = m[2]
		}
		for _, pair := range [][2]string{
			{"text", "ground"}, {"text", "surface"}, {"text", "raised"}, {"text", "crack-soft"},
			{"muted", "ground"}, {"muted", "surface"}, {"muted", "raised"},
			{"muted", "crack-soft"}, {"muted", "no_decision-soft"},
			{"accent", "surface"}, {"on-accent", "accent"},
			{"normal", "surface"}, {"crack", "surface"}, {"no_decision", "surface"},
			{"normal", "normal-soft"}, {"crack", "crack-soft"}, {"no_decision", "no_decision-soft"},
		} {
			if c := contrast(t, colours[pair[0]], colours[pair[1]]); c < 4.5 {
				t.Errorf("%s: contrast of %s on %s is %.2f, want 4.5", name, pair[0], pair[1], c)
			}
		}
	}
}

// contrast returns the contrast ratio of WCAG 2.2 between two colours of a style sheet.
func contrast(t *testing.T, a, b string) float64 {
	luminance := func(colour string) float64 {
		digits := strings.TrimPrefix(colour, "#")
		if len(digits) == 3 {
			digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
		}
		rgb, err := hex.DecodeString(digits)
		if err != nil || len(rgb) != 3 {
			t.Fatalf("invalid colour %q", colour)
		}
		sum := 0.0
		for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
			c := float64(rgb[i]) / 255
			if c <= 0.04045 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			sum += weight * c
		}
		return sum
	}
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}
