package web

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"tirewatch/agent/config"
)

// role is what somebody may do.
type role int

const (
	nobody   role = iota
	viewer        // look
	operator      // look and change
)

func (r role) String() string { return [...]string{"nobody", "viewer", "operator"}[r] }

// access knows who is logged in.
type access struct {
	page    config.Page
	now     func() time.Time
	log     *slog.Logger
	hashing chan struct{} // capacity 1: one password is looked at at a time, which bounds memory

	mu          sync.Mutex
	sessions    map[[sha256.Size]byte]session // by the hash of the cookie's value; guarded by mu
	attempts    map[netip.Prefix]int          // log-ins that failed since windowStart; guarded by mu
	total       int                           // of all addresses together; guarded by mu
	windowStart time.Time                     // guarded by mu
}

type session struct {
	role role
	used time.Time
}

const (
	// sessionIdle is how long a session lasts that is not used: a shift and what goes over.
	sessionIdle = 10 * time.Hour
	// maxSessions are remembered; the one that was used longest ago goes.
	maxSessions = 64
)

// Limits of log-ins that fail.
const (
	attemptWindow = time.Minute
	maxPerAddress = 5  // in an attemptWindow
	maxOverall    = 30 // in an attemptWindow
)

func newAccess(page config.Page, now func() time.Time, log *slog.Logger) (*access, error) {
	a := &access{page: page, now: now, log: log, hashing: make(chan struct{}, 1),
		sessions: map[[sha256.Size]byte]session{}, attempts: map[netip.Prefix]int{}}
	for _, path := range []string{page.PasswordFile, page.ViewerPasswordFile} {
		if path == "" {
			continue
		}
		if _, err := readHash(path); err != nil {
			return nil, err
		}
	}
	return a, nil
}

// open says whether everybody may do everything: at the station itself, when no password is set.
func (a *access) open() bool { return a.page.PasswordFile == "" }

// cookie is the name of the cookie that holds a session.
const cookie = "tirewatch"

// role of a request.
func (a *access) role(r *http.Request) role {
	if a.open() {
		return operator
	}
	c, err := r.Cookie(cookie)
	if err != nil {
		return nobody
	}
	// a look-up by the value itself would tell by its time how much of it was right
	key := sha256.Sum256([]byte(c.Value))
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.sessions[key]
	if !ok || a.now().Sub(s.used) > sessionIdle {
		delete(a.sessions, key)
		return nobody
	}
	s.used = a.now()
	a.sessions[key] = s
	return s.role
}

// Reasons why nobody is let in.
var (
	errWrongPassword   = errors.New("wrong password")
	errTooManyAttempts = errors.New("too many attempts")
	errPasswordFile    = errors.New("a password file cannot be used")
)

// logIn looks at a password and begins a session.
func (a *access) logIn(w http.ResponseWriter, r *http.Request, password string) (role, error) {
	from := origin(r)
	if !a.allowAttempt(from) {
		return nobody, errTooManyAttempts
	}
	who, err := a.roleOf(r, password)
	if err != nil {
		a.log.Warn("page: nobody was let in", "from", from, "reason", err)
		return nobody, err
	}
	token := rand.Text()
	key := sha256.Sum256([]byte(token))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.attempts[from] > 0 { // only what fails counts
		a.attempts[from]--
		a.total--
	}
	if len(a.sessions) >= maxSessions {
		oldest, at := key, a.now()
		for k, s := range a.sessions {
			if !s.used.After(at) {
				oldest, at = k, s.used
			}
		}
		delete(a.sessions, oldest)
	}
	a.sessions[key] = session{who, a.now()}
	http.SetCookie(w, a.newCookie(r, token))
	a.log.Info("page: logged in", "as", who, "from", from)
	return who, nil
}

// newCookie is one that no script reads and that no other site's request carries. It ends with the
// browser, and its session before.
func (a *access) newCookie(r *http.Request, value string) *http.Cookie {
	return &http.Cookie{Name: cookie, Value: value, Path: "/", HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode}
}

// logOut ends the session of a request.
func (a *access) logOut(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(cookie); err == nil {
		a.mu.Lock()
		delete(a.sessions, sha256.Sum256([]byte(c.Value)))
		a.mu.Unlock()
	}
	gone := a.newCookie(r, "")
	gone.MaxAge = -1
	http.SetCookie(w, gone)
}

// roleOf finds the role of a password. The files are read anew, so that a changed password counts at
// once.
func (a *access) roleOf(r *http.Request, password string) (role, error) {
	if len(password) > maxPassword {
		return nobody, errWrongPassword
	}
	select {
	case a.hashing <- struct{}{}:
		defer func() { <-a.hashing }()
	case <-r.Context().Done():
		return nobody, r.Context().Err()
	}
	found := nobody
	for _, f := range []struct {
		path string
		role role
	}{{a.page.ViewerPasswordFile, viewer}, {a.page.PasswordFile, operator}} {
		if f.path == "" {
			continue
		}
		h, err := readHash(f.path)
		if err != nil {
			a.log.Error("page: nobody can log in", "error", err)
			return nobody, errPasswordFile
		}
		if h.matches(password) {
			found = f.role
		}
	}
	if found == nobody {
		return nobody, errWrongPassword
	}
	return found, nil
}

// allowAttempt counts an attempt. Both counts end with the window, so that what is remembered is bounded
// by maxOverall.
func (a *access) allowAttempt(from netip.Prefix) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.now(); now.Sub(a.windowStart) >= attemptWindow {
		a.windowStart, a.total = now, 0
		clear(a.attempts)
	}
	if a.attempts[from] >= maxPerAddress || a.total >= maxOverall {
		return false
	}
	a.attempts[from]++
	a.total++
	return true
}

// origin is the address of a request, of IPv6 the network that a single customer has.
func origin(r *http.Request) netip.Prefix {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := at.Addr().Unmap(), 32
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		panic("internal error: " + err.Error()) // the length fits the kind
	}
	return p
}
