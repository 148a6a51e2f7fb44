package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/message"
	"tirewatch/agent/models"
	"tirewatch/internal/hint"
	"tirewatch/vision/verdict"
)

// routes lists every request that the page serves, with the lowest role that may send it.
func (p *Page) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.index)
	mux.HandleFunc("GET /login", p.loginPage)
	mux.HandleFunc("POST /login", p.login)
	mux.HandleFunc("POST /logout", p.logout)
	mux.HandleFunc("GET /language/{tag}", p.language)
	// open to all: the files hold no secrets, and the log-in page needs the style sheet
	mux.HandleFunc("GET /static/{name}", p.static)
	for _, route := range []struct {
		pattern string
		minRole role
		answer  func(w http.ResponseWriter, r *http.Request) error
	}{
		{"GET /api/state", viewer, p.getState},
		{"GET /api/live", viewer, p.getLive},
		{"GET /api/verdicts", viewer, p.getVerdicts},
		{"GET /api/crop/{seq}", viewer, p.getCrop},
		{"GET /api/camera/{seq}", viewer, p.getCamera},
		{"GET /api/review", viewer, p.getReview},
		{"POST /api/review", operator, p.postReview},
		{"POST /api/locate", operator, p.postLocate},
		{"POST /api/model/confirm", operator, p.postModel},
		{"POST /api/model/rollback", operator, p.postModel},
	} {
		mux.HandleFunc(route.pattern, func(w http.ResponseWriter, r *http.Request) {
			have := p.access.role(r)
			var err error
			switch {
			case have == nobody:
				err = &apiError{http.StatusUnauthorized, "log_in", nil}
			case have < route.minRole:
				err = &apiError{http.StatusForbidden, "only_operator", nil}
			default:
				p.lastRequest.Store(p.o.Now().UnixNano())
				err = route.answer(w, r)
			}
			if err != nil {
				p.writeError(w, r, err)
			}
		})
	}
	return mux
}

// apiError is an error with its HTTP status. The page shows the message "error.CODE" in the
// reader's language, then the text of err as it is.
type apiError struct {
	status int
	code   string
	err    error // may be nil
}

func (e *apiError) Error() string { return fmt.Sprintf("%s: %v", e.code, e.err) }

// writeError sends an error as JSON.
func (p *Page) writeError(w http.ResponseWriter, r *http.Request, err error) {
	e, ok := errors.AsType[*apiError](err)
	if !ok {
		e = &apiError{http.StatusInternalServerError, "internal", err}
	}
	if e.status >= 500 {
		p.o.Log.Error("page: request failed", "path", r.URL.Path, "error", err)
	}
	body := struct {
		Code   string `json:"code"`
		Detail string `json:"detail,omitempty"`
		Hint   string `json:"hint,omitempty"`
	}{Code: e.code}
	if e.err != nil {
		body.Detail, body.Hint = e.err.Error(), hint.Of(e.err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	_ = json.NewEncoder(w).Encode(body) // fails only if the browser has left
}

// badRequest is the error of an invalid request.
func badRequest(format string, args ...any) error {
	return &apiError{http.StatusBadRequest, "request", fmt.Errorf(format, args...)}
}

// writeJSON sends a response. It returns nil: body always encodes, and if the connection fails, no
// reader is left.
func writeJSON(w http.ResponseWriter, body any) error {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
	return nil
}

// readJSON decodes the body of a request.
func readJSON(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		return nil
	}
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return badRequest("request body: larger than %d bytes", tooLarge.Limit)
	}
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		return badRequest("request body: wrong type of %q", e.Field)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return badRequest("request body: unknown field %s", name)
	}
	return badRequest("request body: not the JSON object that the page sends")
}

// state is what the page shows beside the live image.
type state struct {
	Now      time.Time      `json:"now"`
	Version  string         `json:"version"`
	Role     string         `json:"role"`
	Last     uint64         `json:"last"` // seq of the latest verdict
	Health   message.Health `json:"health"`
	Problems []problem      `json:"problems"`
	Broker   broker         `json:"broker"`
	Model    modelState     `json:"model"`
	Locate   locateState    `json:"locate"`
	Shifts   []tally        `json:"shifts"`           // the present shift first
	OnUnsure string         `json:"on_unsure"`        // reject or pass
	Review   *int           `json:"review,omitempty"` // images that wait for a label
}

type problem struct {
	Part string `json:"part"`
	Text string `json:"text"`
}

type broker struct {
	Named     bool `json:"named"`
	Connected bool `json:"connected"`
}

type locateState struct {
	Mode   string `json:"mode"`
	Region []int  `json:"region"`
	Learn  int    `json:"learn"` // frames that a new region must stay empty
}

// modelState describes the two slots and the probation.
type modelState struct {
	Active   *slot         `json:"active"`
	Previous *slot         `json:"previous"`
	Verdicts int           `json:"trial_verdicts"`
	Of       int           `json:"trial_of"` // 0: not on probation
	Compared int           `json:"compared"`
	Differ   int           `json:"disagreements"`
	Unsure   int           `json:"trial_unsure"`
	Ended    bool          `json:"ended"`
	Last     *models.Event `json:"last"`
}

type slot struct {
	Serial    uint64    `json:"serial"`
	Hash      string    `json:"hash"`
	Since     time.Time `json:"since"`
	Created   time.Time `json:"created"`
	Threshold float64   `json:"threshold"`
	// of a model with two thresholds
	SoundBelow float64   `json:"sound_below,omitempty"`
	Kernel     string    `json:"kernel"`
	NotAfter   time.Time `json:"not_after,omitzero"`
}

func newSlot(m *models.Loaded) *slot {
	if m == nil {
		return nil
	}
	b := m.Bundle
	return &slot{b.Serial, b.ID(), m.Since, b.Created, b.Threshold, b.Head().SoundBelow, m.Runner.Kernel(), b.NotAfter}
}

func (p *Page) getState(w http.ResponseWriter, r *http.Request) error {
	health, err := p.o.Health()
	if err != nil {
		return err
	}
	s := state{Now: p.o.Now(), Version: p.o.Version, Role: p.access.role(r).String(),
		Last: p.o.Journal.Next() - 1, Health: health, Problems: []problem{}, Shifts: p.shifts.list(), OnUnsure: config.OnReject}
	if p.o.PassUnsure {
		s.OnUnsure = config.OnPass
	}
	problems := p.o.Problems()
	for _, part := range slices.Sorted(maps.Keys(problems)) {
		s.Problems = append(s.Problems, problem{part, problems[part]})
	}
	s.Broker.Named, s.Broker.Connected = p.o.Broker()
	m := p.o.Models.Snapshot()
	s.Model = modelState{Active: newSlot(m.Active), Previous: newSlot(m.Previous), Ended: m.Ended, Last: m.Last}
	if t := m.Trial; t != nil {
		s.Model.Verdicts, s.Model.Of, s.Model.Compared, s.Model.Differ = t.Verdicts, t.Of, t.Compared, t.Disagreements
		s.Model.Unsure = t.Unsure
	}
	s.Locate.Mode, s.Locate.Region, s.Locate.Learn = p.o.Locate.Where()
	if p.o.Review != nil {
		n, err := p.o.Review.Waiting()
		if err != nil {
			return err
		}
		s.Review = &n
	}
	return writeJSON(w, s)
}

// viewHeader carries the view of an image as JSON.
const viewHeader = "Tirewatch-View"

// getLive sends the next image after number ?after=, or 204 if none is made within longPoll.
func (p *Page) getLive(w http.ResponseWriter, r *http.Request) error {
	after, err := queryNumber(r, "after", 0)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), longPoll)
	defer cancel()
	pic := p.live.next(ctx, after)
	if pic == nil {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	text, err := json.Marshal(pic.view)
	if err != nil {
		return err
	}
	w.Header().Set(viewHeader, string(text)) // numbers and labels, all ASCII
	w.Header().Set("Content-Type", "image/jpeg")
	_, _ = w.Write(pic.jpeg) // fails only if the browser has left
	return nil
}

// maxResults limits the verdicts in one response of the history.
const maxResults = 100

// searchTimeout ends a search; the response then holds what was found so far.
const searchTimeout = 5 * time.Second

func (p *Page) getVerdicts(w http.ResponseWriter, r *http.Request) error {
	q, err := readQuery(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), searchTimeout)
	defer cancel()
	found, end, more, err := p.o.Journal.Search(ctx, q)
	if err != nil {
		return err
	}
	body := struct {
		Verdicts []verdict.Verdict `json:"verdicts"`
		Below    string            `json:"below,omitempty"` // where the next page begins
	}{Verdicts: found}
	if more {
		body.Below = end.String()
	}
	return writeJSON(w, body)
}

// readQuery reads a search from the query of the URL: from and to (RFC 3339), low and high
// (probability), label, limit, and below, where the page before ended.
func readQuery(r *http.Request) (journal.Query, error) {
	q := journal.Query{High: 1}
	form := r.URL.Query()
	for name, into := range map[string]*time.Time{"from": &q.From, "to": &q.To} {
		if text := form.Get(name); text != "" {
			t, err := time.Parse(time.RFC3339, text)
			if err != nil {
				return q, badRequest("%s: invalid time %q, want a time such as 2026-03-05T14:00:00Z", name, text)
			}
			*into = t
		}
	}
	for name, into := range map[string]*float64{"low": &q.Low, "high": &q.High} {
		if text := form.Get(name); text != "" {
			x, err := strconv.ParseFloat(text, 64)
			if err != nil || !(x >= 0 && x <= 1) {
				return q, badRequest("%s: invalid probability %q, want 0 to 1", name, text)
			}
			*into = x
		}
	}
	if q.Label = verdict.Label(form.Get("label")); q.Label != "" && !slices.Contains(verdict.Labels(), q.Label) {
		return q, badRequest("label: unknown label %q", q.Label)
	}
	limit, err := queryNumber(r, "limit", 50)
	if err != nil || limit < 1 || limit > maxResults {
		return q, badRequest("limit: want 1 to %d", maxResults)
	}
	q.Limit = int(limit)
	if text := form.Get("below"); text != "" {
		if q.Below, err = journal.ParsePlace(text); err != nil {
			return q, badRequest("below: invalid position %q", text)
		}
	}
	return q, nil
}

// getCrop sends the crop of a verdict: a recent one from memory as JPEG, an older one from the
// journal as PNG, if the journal keeps it.
func (p *Page) getCrop(w http.ResponseWriter, r *http.Request) error {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 63)
	if err != nil {
		return badRequest("invalid verdict number %q", r.PathValue("seq"))
	}
	data, kind := p.recent.jpeg(seq), "image/jpeg"
	if data == nil {
		kind = "image/png"
		if data, err = p.o.Journal.Crop(seq); errors.Is(err, fs.ErrNotExist) {
			return &apiError{http.StatusNotFound, "no_picture", nil}
		}
		if err != nil {
			return err
		}
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "private, max-age=3600")
	_, _ = w.Write(data) // fails only if the browser has left
	return nil
}

// getCamera sends the picture of the camera for a verdict, or nothing (204) if there is none: most
// tires have none, and a browser would write each 404 into its console.
func (p *Page) getCamera(w http.ResponseWriter, r *http.Request) error {
	seq, err := strconv.ParseUint(r.PathValue("seq"), 10, 63)
	if err != nil {
		return badRequest("invalid verdict number %q", r.PathValue("seq"))
	}
	data, err := p.o.Journal.Camera(seq)
	if errors.Is(err, fs.ErrNotExist) {
		w.Header().Set("Cache-Control", "no-store") // it may be on its way
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Cache-Control", "private, max-age=3600")
	_, _ = w.Write(data) // fails only if the browser has left
	return nil
}

// queryNumber returns a whole number from the query of the URL, or without if the URL lacks it.
func queryNumber(r *http.Request, name string, without uint64) (uint64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return without, nil
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0, badRequest("%s: invalid number %q", name, text)
	}
	return n, nil
}

// postLocate sets a fixed region, or makes the station look for the round outline again.
func (p *Page) postLocate(w http.ResponseWriter, r *http.Request) error {
	var want struct {
		Mode   string `json:"mode"`
		Region []int  `json:"region"`
	}
	if err := readJSON(r, &want); err != nil {
		return err
	}
	g := want.Region
	switch {
	case want.Mode == config.LocateRound && g == nil:
	case want.Mode == config.LocateRegion && len(g) == 4 &&
		slices.Min(g) >= 0 && slices.Max(g) <= 1<<14 && g[0] < g[2] && g[1] < g[3]:
	default:
		return badRequest("want mode round, or mode region with a region [x0, y0, x1, y1] inside the frame")
	}
	err := p.o.Locate.Move(want.Mode, g)
	p.o.Log.Info("page: locate change requested", "mode", want.Mode, "region", g, "from", origin(r), "error", err)
	if errors.As(err, new(*config.SaveError)) {
		return &apiError{http.StatusConflict, "not_kept", err}
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// postModel confirms the model on probation or rolls back to the previous model.
func (p *Page) postModel(w http.ResponseWriter, r *http.Request) error {
	act := p.o.Models.Confirm
	if r.URL.Path == "/api/model/rollback" {
		act = p.o.Models.Rollback
	}
	err := act()
	p.o.Log.Info("page: model change requested", "command", r.URL.Path, "from", origin(r), "error", err)
	if err != nil {
		return &apiError{http.StatusConflict, "model", err}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// maxReview limits the images of the queue in one response.
const maxReview = 12

var errNoReview = &apiError{http.StatusNotFound, "no_review", nil}

func (p *Page) getReview(w http.ResponseWriter, _ *http.Request) error {
	if p.o.Review == nil {
		return errNoReview
	}
	all, err := p.o.Review.Waiting()
	if err != nil {
		return err
	}
	waiting, err := p.o.Review.Next(maxReview)
	if err != nil {
		return err
	}
	return writeJSON(w, struct {
		Waiting []verdict.Verdict `json:"waiting"`
		All     int               `json:"all"`
	}{waiting, all})
}

func (p *Page) postReview(w http.ResponseWriter, r *http.Request) error {
	if p.o.Review == nil {
		return errNoReview
	}
	var want struct {
		Seq   uint64        `json:"seq"`
		Label verdict.Label `json:"label"`
	}
	if err := readJSON(r, &want); err != nil {
		return err
	}
	if want.Label != "" && want.Label != verdict.Normal && want.Label != verdict.Crack {
		return badRequest("label: invalid label %q, want normal, crack or an empty text", want.Label)
	}
	if err := p.o.Review.Label(want.Seq, want.Label); err != nil {
		return &apiError{http.StatusConflict, "label", err}
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
