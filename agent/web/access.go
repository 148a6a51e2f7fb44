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

// role is what the sender of a request may do.
type role int

const (
	nobody   role = iota // not logged in
	viewer               // may look
	operator             // may look and change
)

func (r role) String() string { return [...]string{"nobody", "viewer", "operator"}[r] }

// access keeps the sessions and limits the log-in attempts.
type access struct {
	page    config.Page
	now     func() time.Time
	log     *slog.Logger
	hashing chan struct{} // capacity 1: one hash at a time, which limits memory

	mu          sync.Mutex
	sessions    map[[sha256.Size]byte]session // by the hash of the cookie's value; guarded by mu
	attempts    map[netip.Prefix]int          // failed log-ins since windowStart; guarded by mu
	total       int                           // failed log-ins of all addresses; guarded by mu
	windowStart time.Time                     // guarded by mu
}

type session struct {
	role role
	used time.Time
}

const (
	// sessionIdle ends a session that is not used: after a shift and some overtime.
	sessionIdle = 10 * time.Hour
	// maxSessions limits the sessions; one more removes the one that was not used for longest.
	maxSessions = 64
)

// Limits on failed log-ins.
const (
	attemptWindow = time.Minute
	maxPerAddress = 5  // failed attempts in an attemptWindow
	maxOverall    = 30 // the same, all addresses together
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

// open reports whether the page needs no log-in: no password is set, which the configuration allows
// only for a page that listens on the station itself.
func (a *access) open() bool { return a.page.PasswordFile == "" }

// cookie is the name of the session cookie.
const cookie = "tirewatch"

// role returns the role of a request and extends its session.
func (a *access) role(r *http.Request) role {
	if a.open() {
		return operator
	}
	c, err := r.Cookie(cookie)
	if err != nil {
		return nobody
	}
	// The hash is the key: a look-up by the value itself would leak through its timing how much of
	// the value is right.
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

// Reasons to refuse a log-in.
var (
	errWrongPassword   = errors.New("wrong password")
	errTooManyAttempts = errors.New("too many attempts")
	errPasswordFile    = errors.New("password file unusable")
)

// logIn checks a password and starts a session.
func (a *access) logIn(w http.ResponseWriter, r *http.Request, password string) (role, error) {
	from := origin(r)
	if !a.allowAttempt(from) {
		return nobody, errTooManyAttempts
	}
	granted, err := a.roleOf(r, password)
	if err != nil {
		a.log.Warn("page: login refused", "from", from, "reason", err)
		return nobody, err
	}
	token := rand.Text()
	key := sha256.Sum256([]byte(token))
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.attempts[from] > 0 { // only failed attempts count
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
	a.sessions[key] = session{granted, a.now()}
	http.SetCookie(w, a.newCookie(r, token))
	a.log.Info("page: logged in", "as", granted, "from", from)
	return granted, nil
}

// newCookie makes a cookie that no script can read and that requests of other sites do not carry.
// The browser drops it when it closes; the session may end earlier.
func (a *access) newCookie(r *http.Request, value string) *http.Cookie {
	return &http.Cookie{Name: cookie, Value: value, Path: "/",
		HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode}
}

// logOut ends the session of a request.
func (a *access) logOut(w http.ResponseWriter, r *http.Request) {
	if c, err := r.Cookie(cookie); err == nil {
		a.mu.Lock()
		delete(a.sessions, sha256.Sum256([]byte(c.Value)))
		a.mu.Unlock()
	}
	removed := a.newCookie(r, "")
	removed.MaxAge = -1
	http.SetCookie(w, removed)
}

// roleOf returns the role of a password. It reads the files each time, so that a changed password
// applies at once.
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
			a.log.Error("page: password file unusable", "error", err)
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

// allowAttempt counts an attempt and reports whether it is within both limits. Both counts restart
// with each window, so the map holds at most maxOverall addresses.
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

// origin returns the network of the sender: its address, or for IPv6 its /64, which is usually one
// customer.
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
