package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"html/template"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/language"
)

//go:embed static messages *.html
var files embed.FS

// The languages of the page. The first is the default.
var (
	languages = []language.Tag{language.English, language.German, language.Indonesian}
	matcher   = language.NewMatcher(languages)
)

// Made from the files at first use: most commands of the program do not need them.
var (
	catalogue = sync.OnceValue(readCatalogue)
	templates = sync.OnceValue(func() *template.Template {
		return template.Must(template.ParseFS(files, "*.html"))
	})
	etags = sync.OnceValue(readETags)
)

// readCatalogue returns the messages by language and key. TestLanguagesAreComplete checks that
// every language has every key.
func readCatalogue() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, tag := range languages {
		data, err := files.ReadFile("messages/" + tag.String() + ".json")
		var messages map[string]string
		if err = errors.Join(err, json.Unmarshal(data, &messages)); err != nil {
			panic("internal error: messages of " + tag.String() + ": " + err.Error())
		}
		all[tag.String()] = messages
	}
	return all
}

// readETags returns an entity tag for each embedded file, so that a browser loads a file only once.
func readETags() map[string]string {
	etags := map[string]string{}
	names, err := fs.Glob(files, "static/*")
	if err != nil {
		panic("internal error: " + err.Error()) // the pattern is constant and valid
	}
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			panic("internal error: " + err.Error()) // the file is embedded
		}
		sum := sha256.Sum256(data)
		etags[strings.TrimPrefix(name, "static/")] = `"` + hex.EncodeToString(sum[:8]) + `"`
	}
	return etags
}

// languageCookie holds the language that the reader chose.
const languageCookie = "tirewatch-language"

// languageOf returns the language of a request: the chosen one, otherwise the browser's.
func languageOf(r *http.Request) string {
	var preferred []language.Tag
	if c, err := r.Cookie(languageCookie); err == nil {
		if tag, err := language.Parse(c.Value); err == nil {
			preferred = append(preferred, tag)
		}
	}
	if accepted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language")); err == nil {
		preferred = append(preferred, accepted...)
	}
	_, i, _ := matcher.Match(preferred...)
	return languages[i].String()
}

// pageData is the data of the templates.
type pageData struct {
	Lang      string
	Languages []string
	Station   string
	Role      string
	Open      bool // no log-in needed
	Review    bool
	Messages  map[string]string
	Failed    string // message key of why the log-in failed
}

// T returns a message in the reader's language.
func (s pageData) T(key string) string { return s.Messages[key] }

func (p *Page) pageData(r *http.Request) pageData {
	lang := languageOf(r)
	s := pageData{Lang: lang, Station: p.o.Station, Role: p.access.role(r).String(), Open: p.access.open(),
		Review: p.o.Review != nil, Messages: catalogue()[lang]}
	for _, tag := range languages {
		s.Languages = append(s.Languages, tag.String())
	}
	return s
}

func (p *Page) render(w http.ResponseWriter, status int, name string, s pageData) {
	var out bytes.Buffer
	if err := templates().ExecuteTemplate(&out, name, s); err != nil {
		panic("internal error: " + err.Error()) // tests execute every template
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // fails only if the browser has left
}

func (p *Page) index(w http.ResponseWriter, r *http.Request) {
	if p.access.role(r) == nobody {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	p.render(w, http.StatusOK, "index.html", p.pageData(r))
}

func (p *Page) loginPage(w http.ResponseWriter, r *http.Request) {
	if p.access.role(r) != nobody {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	p.render(w, http.StatusOK, "login.html", p.pageData(r))
}

func (p *Page) login(w http.ResponseWriter, r *http.Request) {
	if p.access.open() {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	s := p.pageData(r)
	_, err := p.access.logIn(w, r, r.PostFormValue("password"))
	switch {
	case err == nil:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case errors.Is(err, errTooManyAttempts):
		s.Failed = "login.too_many"
		w.Header().Set("Retry-After", "60")
		p.render(w, http.StatusTooManyRequests, "login.html", s)
	case errors.Is(err, errWrongPassword):
		s.Failed = "login.wrong"
		p.render(w, http.StatusUnauthorized, "login.html", s)
	default:
		s.Failed = "login.broken"
		p.render(w, http.StatusServiceUnavailable, "login.html", s)
	}
}

func (p *Page) logout(w http.ResponseWriter, r *http.Request) {
	p.access.logOut(w, r)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// language stores the reader's choice of a language in a cookie.
func (p *Page) language(w http.ResponseWriter, r *http.Request) {
	tag := r.PathValue("tag")
	if catalogue()[tag] == nil {
		http.NotFound(w, r)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: languageCookie, Value: tag, Path: "/", HttpOnly: true, Secure: r.TLS != nil,
		SameSite: http.SameSiteStrictMode, MaxAge: int((365 * 24 * time.Hour).Seconds())})
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (p *Page) static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	tag := etags()[name]
	if tag == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "no-cache") // the browser asks each time; the tag answers
	http.ServeFileFS(w, r, files, "static/"+name)
}
