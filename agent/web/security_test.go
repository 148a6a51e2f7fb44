package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/message"
	"tirewatch/agent/models"
	"tirewatch/vision/frame"
	"tirewatch/vision/verdict"
)

// fake is the journal, the models and the locate setting of a page. It records the changes that the
// page makes.
type fake struct {
	calls []string
	clock time.Time
}

func (f *fake) Search(context.Context, journal.Query) ([]verdict.Verdict, journal.Place, bool, error) {
	return nil, journal.Place{}, false, nil
}
func (f *fake) Count(time.Time, time.Time, uint64) (map[verdict.Label]int, error) { return nil, nil }
func (f *fake) Camera(uint64) ([]byte, error)                                     { return nil, fs.ErrNotExist }
func (f *fake) Crop(uint64) ([]byte, error)                                       { return nil, fs.ErrNotExist }
func (f *fake) Next() uint64                                                      { return 1 }
func (f *fake) Snapshot() models.Snapshot                                         { return models.Snapshot{} }
func (f *fake) Confirm() error                                                    { f.calls = append(f.calls, "confirm"); return nil }
func (f *fake) Rollback() error                                                   { f.calls = append(f.calls, "rollback"); return nil }
func (f *fake) Where() (string, []int, int)                                       { return config.LocateRound, nil, 0 }
func (f *fake) Move(mode string, region []int) error {
	f.calls = append(f.calls, fmt.Sprint("move ", mode, region))
	return nil
}

const (
	operatorPassword = "the operator's words"
	viewerPassword   = "the viewer's words"
)

// passwords writes the page's password files to dir.
func passwords(t testing.TB, dir string) config.Page {
	t.Helper()
	c := config.Page{Listen: "0.0.0.0:8443", Shifts: []string{"06:00", "14:00", "22:00"},
		PasswordFile: filepath.Join(dir, "page.password"), ViewerPasswordFile: filepath.Join(dir, "viewer.password")}
	for path, password := range map[string]string{
		c.PasswordFile: operatorPassword, c.ViewerPasswordFile: viewerPassword,
	} {
		line, err := Hash(password)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(line+"\n"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// newPage makes a page with a fake.
func newPage(t testing.TB, c config.Page) (*Page, *fake) {
	t.Helper()
	if c.Shifts == nil {
		c.Shifts = []string{"06:00", "14:00", "22:00"}
	}
	f := &fake{clock: time.Date(2026, 3, 5, 10, 0, 0, 0, time.UTC)}
	p, err := New(Options{Page: c, Station: "a/b/c", Journal: f, Models: f, Locate: f,
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return f.clock },
		Health: func() (message.Health, error) { return message.Health{}, nil }, Problems: func() map[string]string { return nil },
		Broker: func() (bool, bool) { return false, false }})
	if err != nil {
		t.Fatal(err)
	}
	return p, f
}

// visitor sends requests and keeps cookies, as a browser does.
type visitor struct {
	t       testing.TB
	handler http.Handler
	from    string
	cookies map[string]*http.Cookie
}

func visit(t testing.TB, p *Page) *visitor {
	return &visitor{t, p.Handler(), "192.0.2.1:999", map[string]*http.Cookie{}}
}

// ask sends a request; change may alter it.
func (v *visitor) ask(method, path, body string, change func(*http.Request)) *http.Response {
	v.t.Helper()
	r := httptest.NewRequest(method, "https://station"+path, strings.NewReader(body))
	r.RemoteAddr = v.from
	if method == http.MethodPost {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if strings.HasPrefix(path, "/login") {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, c := range v.cookies {
		r.AddCookie(c)
	}
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	v.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		v.cookies[c.Name] = c
	}
	return w.Result()
}

func (v *visitor) status(method, path, body string) int {
	v.t.Helper()
	return v.ask(method, path, body, nil).StatusCode
}

func (v *visitor) logIn(password string) int {
	v.t.Helper()
	return v.status("POST", "/login", "password="+password)
}

// requests lists the requests of the API, the lowest role for each, and the status if it is
// allowed.
var requests = []struct {
	method, path, body string
	minRole            role
	want               int
}{
	{"GET", "/api/state", "", viewer, 200},
	{"GET", "/api/verdicts", "", viewer, 200},
	{"GET", "/api/crop/5", "", viewer, 404},
	{"GET", "/api/camera/5", "", viewer, 204},
	{"GET", "/api/review", "", viewer, 404},
	{"POST", "/api/review", `{"seq": 5, "label": "crack"}`, operator, 404},
	{"POST", "/api/locate", `{"mode": "round"}`, operator, 204},
	{"POST", "/api/model/confirm", "{}", operator, 204},
	{"POST", "/api/model/rollback", "{}", operator, 204},
}

// Without a password nothing is shown. A viewer can change nothing. An operator may do everything.
func TestAttackWithoutPassword(t *testing.T) {
	p, f := newPage(t, passwords(t, t.TempDir()))
	for role, password := range map[role]string{nobody: "", viewer: viewerPassword, operator: operatorPassword} {
		v := visit(t, p)
		if password != "" {
			if got := v.logIn(password); got != http.StatusSeeOther {
				t.Fatalf("%s: log-in: status %d", role, got)
			}
		}
		for _, r := range requests {
			f.calls = nil
			want := r.want
			if role == nobody {
				want = http.StatusUnauthorized
			} else if role < r.minRole {
				want = http.StatusForbidden
			}
			if got := v.status(r.method, r.path, r.body); got != want {
				t.Errorf("%s: %s %s: status %d, want %d", role, r.method, r.path, got, want)
			}
			if want != r.want && len(f.calls) > 0 {
				t.Errorf("%s: %s %s was refused, but did %v", role, r.method, r.path, f.calls)
			}
		}
		if got := v.status("GET", "/", ""); (got == http.StatusOK) != (role != nobody) {
			t.Errorf("%s: page: status %d", role, got)
		}
	}
	v := visit(t, p)
	v.logIn(viewerPassword)
	if v.status("POST", "/logout", "") != http.StatusSeeOther ||
		v.status("GET", "/api/state", "") != http.StatusUnauthorized {
		t.Error("the session is still valid after the log-out")
	}
}

// Failed log-ins are limited to five a minute for an address and thirty for all addresses. Beyond
// that the right password is refused too, so that the response does not reveal it.
func TestAttackGuessing(t *testing.T) {
	p, f := newPage(t, passwords(t, t.TempDir()))
	v := visit(t, p)
	for i := range maxPerAddress {
		if got := v.logIn("guess"); got != http.StatusUnauthorized {
			t.Fatalf("attempt %d: status %d", i, got)
		}
	}
	if got := v.logIn(operatorPassword); got != http.StatusTooManyRequests {
		t.Errorf("attempt %d: status %d", maxPerAddress, got)
	}
	other := visit(t, p)
	other.from = "192.0.2.2:1"
	if got := other.logIn(operatorPassword); got != http.StatusSeeOther {
		t.Errorf("log-in from another address: status %d", got)
	}
	for i := range maxOverall {
		other.from = fmt.Sprintf("[2001:db8:%x::%x]:1", i/maxPerAddress, i+1)
		other.logIn("guess")
	}
	other.from = "198.51.100.7:1"
	if got := other.logIn("guess"); got != http.StatusTooManyRequests {
		t.Errorf("one attempt more from another address: status %d", got)
	}
	if n := len(p.access.attempts); n > maxOverall {
		t.Errorf("%d addresses in memory", n)
	}
	f.clock = f.clock.Add(attemptWindow)
	if got := v.logIn(operatorPassword); got != http.StatusSeeOther {
		t.Errorf("right password a minute later: status %d", got)
	}
}

// A page of another site in the same browser can send requests to the station, with the cookie if
// the browser allows it. None has an effect.
func TestAttackCrossSite(t *testing.T) {
	p, f := newPage(t, config.Page{Listen: "127.0.0.1:8080"}) // needs no log-in
	v := visit(t, p)
	for name, headers := range map[string]map[string]string{
		"a form of another site":     {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
		"a sister site":              {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:9999"},
		"a browser from before 2020": {"Origin": "https://evil.example"},
		"a sandboxed frame":          {"Origin": "null"},
	} {
		for _, r := range requests {
			if r.method != "POST" {
				continue
			}
			answer := v.ask(r.method, r.path, r.body, func(r *http.Request) {
				r.Host = "127.0.0.1:8080"
				r.Header.Del("Sec-Fetch-Site")
				for k, value := range headers {
					r.Header.Set(k, value)
				}
			})
			if answer.StatusCode != http.StatusForbidden || len(f.calls) > 0 {
				t.Errorf("%s: %s: status %d, did %v", name, r.path, answer.StatusCode, f.calls)
			}
		}
	}
	answer := v.ask("POST", "/api/model/confirm", "{}", func(r *http.Request) { r.Host = "localhost:8080" })
	if answer.StatusCode != http.StatusNoContent || len(f.calls) != 1 {
		t.Errorf("the page itself: status %d, did %v", answer.StatusCode, f.calls)
	}
}

// No script can read the session cookie, requests of other sites do not carry it, and with TLS it
// is never sent unencrypted. An unused session ends, and their number is limited.
func TestAttackCookieTheft(t *testing.T) {
	p, f := newPage(t, passwords(t, t.TempDir()))
	v := visit(t, p)
	v.logIn(operatorPassword)
	c := v.cookies[cookie]
	if c == nil || !c.HttpOnly || !c.Secure ||
		c.SameSite != http.SameSiteStrictMode || c.Domain != "" || len(c.Value) < 26 {
		t.Fatalf("cookie %+v", c)
	}
	f.clock = f.clock.Add(sessionIdle + time.Second)
	if got := v.status("GET", "/api/state", ""); got != http.StatusUnauthorized {
		t.Errorf("session unused for %v: status %d", sessionIdle, got)
	}
	for range maxSessions + 8 {
		f.clock = f.clock.Add(attemptWindow)
		visit(t, p).logIn(viewerPassword)
	}
	if n := len(p.access.sessions); n > maxSessions {
		t.Errorf("%d sessions in memory", n)
	}
}

// An attacker's name that resolves to 127.0.0.1 gives the attacker's page no access.
func TestAttackRebinding(t *testing.T) {
	p, _ := newPage(t, config.Page{Listen: "127.0.0.1:8080"})
	v := visit(t, p)
	for host, want := range map[string]int{
		"evil.example": 421, "evil.example:8080": 421, "127.0.0.1.evil.example": 421,
		"localhost.evil.example": 421, "192.168.1.5:8080": 421, "": 421,
		"localhost": 200, "localhost:9000": 200, "127.0.0.1:8080": 200, "[::1]:8080": 200,
	} {
		if got := v.ask("GET", "/api/state", "", func(r *http.Request) { r.Host = host }).StatusCode; got != want {
			t.Errorf("host %q: status %d, want %d", host, got, want)
		}
	}
}

// Every response forbids foreign scripts, frames, type guessing and caching.
func TestAttackInjection(t *testing.T) {
	p, _ := newPage(t, passwords(t, t.TempDir()))
	for _, path := range []string{"/", "/login", "/api/state", "/nothing", "/static/page.js"} {
		h := visit(t, p).ask("GET", path, "", nil).Header
		for name, want := range map[string]string{
			"Content-Security-Policy": contentPolicy, "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if got := h.Get("Cache-Control"); got != "no-store" && path != "/static/page.js" {
			t.Errorf("%s: Cache-Control is %q", path, got)
		}
	}
	if strings.Contains(contentPolicy, "unsafe") {
		t.Errorf("policy %s", contentPolicy)
	}
	p.o.Station = `<script>alert(1)</script>/"/x`
	body, err := io.ReadAll(visit(t, p).ask("GET", "/login", "", nil).Body)
	if err != nil || strings.Contains(string(body), "<script>alert") {
		t.Errorf("the station name is sent as a script: %v", err)
	}
}

// Requests that are larger than the page's own or differ from them are refused before they have an
// effect.
func TestAttackMalformed(t *testing.T) {
	p, f := newPage(t, config.Page{Listen: "127.0.0.1:8080"})
	v := visit(t, p)
	here := func(r *http.Request) { r.Host = "localhost" }
	for _, body := range []string{
		`{"mode": "region", "region": [` + strings.Repeat("1,", 1<<20) + `1]}`,
		`{"mode": "region", "region": [1, 2, 1, 3]}`, `{"mode": "region", "region": [-1, 2, 3, 4]}`,
		`{"mode": "region", "region": [1, 2, 3, 99999]}`, `{"mode": "round", "region": [1, 2, 3, 4]}`,
		`{"mode": "region"}`, `{"mode": "x\n[model]"}`, `{"mode": "round", "keys": []}`, `[]`, ``,
	} {
		if got := v.ask("POST", "/api/locate", body, here).StatusCode; got != http.StatusBadRequest || len(f.calls) > 0 {
			t.Errorf("%.60s: status %d, did %v", body, got, f.calls)
		}
	}
	for _, query := range []string{
		"low=2", "low=NaN", "high=-1", "label=x'%20OR%201=1", "limit=0", "limit=101", "limit=-1",
		"from=yesterday", "below=1",
	} {
		if got := v.ask("GET", "/api/verdicts?"+query, "", here).StatusCode; got != http.StatusBadRequest {
			t.Errorf("%s: status %d", query, got)
		}
	}
	for _, path := range []string{
		"/api/crop/..%2f..%2fstation.toml", "/api/crop/-1", "/api/camera/-1", "/static/..%2fweb.go", "/static/",
		"/language/xx", "/language/..%2f",
	} {
		if got := v.ask("GET", path, "", here).StatusCode; got < 400 {
			t.Errorf("%s: status %d", path, got)
		}
	}
}

// The page does not start if other users can read a password file or if it contains anything but a
// hash of moderate cost. The error never contains the password.
func TestPasswordFiles(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"readable by all":         func(path string) error { return os.Chmod(path, 0o644) },
		"missing":                 os.Remove,
		"the password itself":     func(path string) error { return os.WriteFile(path, []byte(operatorPassword), 0o600) },
		"a hash that takes a GiB": func(path string) error { return rewrite(path, "m=19456", "m=1048576") },
		"a hash of no effort":     func(path string) error { return rewrite(path, "m=19456,t=2", "m=8,t=1") },
		"another algorithm":       func(path string) error { return rewrite(path, "argon2id", "argon2i") },
	} {
		c := passwords(t, t.TempDir())
		if err := spoil(c.PasswordFile); err != nil {
			t.Fatal(err)
		}
		_, err := newAccess(c, time.Now, slog.New(slog.DiscardHandler))
		if err == nil || strings.Contains(err.Error(), operatorPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p, _ := newPage(t, passwords(t, t.TempDir()))
	line, err := Hash("another password")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.o.Page.PasswordFile, []byte(line), 0o640); err != nil {
		t.Fatal(err)
	}
	if got := visit(t, p).logIn("another password"); got != http.StatusSeeOther {
		t.Errorf("changed password: status %d", got)
	}
}

func rewrite(path, before, after string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !strings.Contains(string(data), before) {
		return errors.New(before + " is not in the file")
	}
	return os.WriteFile(path, []byte(strings.Replace(string(data), before, after, 1)), 0o600)
}

// serve runs a page with its limits.
func serve(t testing.TB, p *Page) *Server {
	t.Helper()
	s, err := p.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// Browsers that hang request images and never read them. Their number is limited, and so is the
// memory for all of them. When they have left, the next browser is served.
func TestAttackHangingBrowsers(t *testing.T) {
	p, _ := newPage(t, config.Page{Listen: "127.0.0.1:0"})
	s := serve(t, p)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { // a camera
		f := frame.NewGray(640, 480)
		for i := range f.Pix {
			f.Pix[i] = byte(i * i >> 3)
		}
		for ctx.Err() == nil {
			f.Seq++
			p.Show(f, nil)
			time.Sleep(time.Millisecond)
		}
	}()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var hanging []net.Conn
	for range 2 * maxConnections {
		c, err := net.Dial("tcp", s.listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
			t.Fatal(err)
		}
		for range 20 { // pipelined
			if _, err := fmt.Fprintf(c, "GET /api/live HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
		}
		hanging = append(hanging, c)
	}
	time.Sleep(time.Second) // in which 96 browsers could take hundreds of pictures
	runtime.GC()
	runtime.ReadMemStats(&after)
	grown := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) >> 10
	t.Logf("%d hanging browsers, %d connected: the heap grew by %d KiB", len(hanging), maxConnections, grown)
	if grown > 8<<10 {
		t.Errorf("hanging browsers hold %d KiB", grown)
	}
	for _, c := range hanging {
		c.Close()
	}
	client := &http.Client{Timeout: 10 * time.Minute}
	answer, err := client.Get(s.URL() + "api/live")
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("browser after them: %v, %v", answer, err)
	}
	answer.Body.Close()
}

// On the network the page accepts TLS 1.2 and newer only.
func TestAttackEavesdropping(t *testing.T) {
	dir := t.TempDir()
	c := passwords(t, dir)
	c.Listen, c.CertFile, c.KeyFile = "127.0.0.1:0", filepath.Join(dir, "page.pem"), filepath.Join(dir, "page.key")
	certificate(t, c.CertFile, c.KeyFile)
	p, _ := newPage(t, c)
	s := serve(t, p)
	if !strings.HasPrefix(s.URL(), "https://") {
		t.Errorf("URL %s", s.URL())
	}
	for name, version := range map[string]uint16{
		"1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13,
	} {
		conn, err := tls.Dial("tcp", s.listener.Addr().String(),
			&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: version})
		if (err == nil) != (version >= tls.VersionTLS12) {
			t.Errorf("TLS %s: %v", name, err)
		}
		if err == nil {
			conn.Close()
		}
	}
	answer, err := http.Get("http://" + s.listener.Addr().String() + "/login")
	if err == nil {
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest {
			t.Errorf("without TLS: %s", answer.Status)
		}
	}
}
