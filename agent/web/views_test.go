package web_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tirewatch/agent/config"
	"tirewatch/agent/journal"
	"tirewatch/agent/review"
	"tirewatch/agent/web"
	"tirewatch/vision/bundle"
	"tirewatch/vision/bundle/bundletest"
	"tirewatch/vision/frame"
	"tirewatch/vision/verdict"
)

// TestViews opens each view of a working station, on a phone and on a desktop, and uses its
// controls.
func TestViews(t *testing.T) {
	b := browser(t)
	s := start(t, prepareStation(t), "")
	for i, size := range screens {
		t.Run(size.name, func(t *testing.T) {
			p := open(t, b, size, "en", "light", s.url)
			p.t = t
			t.Run("live", func(t *testing.T) { live(p.in(t)) })
			t.Run("history", func(t *testing.T) { history(p.in(t)) })
			t.Run("health", func(t *testing.T) { health(p.in(t)) })
			t.Run("model", func(t *testing.T) { model(p.in(t), s, uint64(8+i)) })
			t.Run("setup", func(t *testing.T) { setup(p.in(t), s) })
		})
	}
}

// in returns the tab for a subtest.
func (b *tab) in(t testing.TB) *tab { return &tab{t, b.ctx} }

// visit opens a view through its link.
func (b *tab) visit(view string) {
	b.t.Helper()
	b.run(fmt.Sprintf(`document.querySelector('#views a[href="#%s"]').click()`, view))
	b.until(fmt.Sprintf(`!document.getElementById('%s').hidden &&
		document.querySelectorAll('main > section:not([hidden])').length === 1`, view))
	if view != "live" && view != "setup" {
		return
	}
	b.until(fmt.Sprintf(`document.querySelector('#%s-stage').dataset.picture > 0`, view))
}

// click clicks the element with the mouse. It tries again when the page replaces the element
// between the look and the click, as lists do that update themselves.
func (b *tab) click(selector string) {
	b.t.Helper()
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); {
		b.until(fmt.Sprintf(`document.querySelector(%q) !== null`, selector))
		// scroll it out from under the navigation bar of a phone
		b.run(fmt.Sprintf(`document.querySelector(%q).scrollIntoView({block: 'center'})`, selector))
		err = chromedp.Do(b.ctx, chromedp.Click(selector, chromedp.NodeVisible))
		if err == nil {
			return
		}
		if !strings.Contains(err.Error(), "Could not find node") {
			break
		}
	}
	b.t.Fatalf("click %s: %v", selector, err)
}

// live: images follow one another, with outline and crop. The verdict, the counters and the latest
// tires are updated.
func live(b *tab) {
	b.visit("live")
	before := eval[int](b, `+document.querySelector('#live-stage').dataset.picture`)
	b.until(fmt.Sprintf(`document.querySelector('#live-stage').dataset.picture > %d`, before+3))
	b.until(`document.querySelector('#live-stage img').naturalWidth === 400`)
	b.until(`document.querySelectorAll('#live-stage .outline').length === 1 &&
		document.querySelectorAll('#live-stage .crop').length === 1`)
	b.until(`/^Last: #\d+ (Normal|Crack) [\d.]+%$/.test(document.querySelector('#live-stage .chip').textContent)`)
	b.until(`/Crack at 50% or more/.test(document.querySelector('#verdict').innerText)`)
	inspected := eval[string](b, `document.querySelector('.figure.inspected dd').textContent`)
	b.until(fmt.Sprintf(`document.querySelector('.figure.inspected dd').textContent !== %q`, inspected))
	b.until(`document.querySelectorAll('#shift .figure').length === 5 &&
		/%$/.test(document.querySelector('.figure.reject_rate dd').textContent)`)
	// the journal has three days of three shifts
	b.until(`document.querySelectorAll('#shifts tbody tr').length >= 8`)
	b.run(`document.querySelector('#last').scrollIntoView()`)
	b.until(`[...document.querySelectorAll('#last img')].filter(i => i.naturalWidth > 0).length >= 6`)
	newest := eval[int](b, `+document.querySelector('#last li').dataset.seq`)
	b.until(fmt.Sprintf(`document.querySelector('#last li').dataset.seq > %d`, newest))
	b.click("#last li:nth-child(3) button")
	b.until(`document.querySelector('#detail').open &&
		document.querySelector('#detail .votes li') !== null &&
		document.querySelector('#detail img').naturalWidth > 0`)
	b.click("#detail button")
	b.until(`!document.querySelector('#detail').open`)
}

// history: pages follow without a gap, and a search filters by verdict, score and time.
func history(b *tab) {
	b.visit("history")
	b.until(`document.querySelectorAll('#results li').length === 30`)
	b.click("#more")
	b.until(`document.querySelectorAll('#results li').length === 60`)
	seqs := eval[[]int](b, `[...document.querySelectorAll('#results li')].map(e => +e.dataset.seq)`)
	descending := slices.IsSortedFunc(seqs, func(a, b int) int { return b - a })
	if !descending || len(slices.Compact(slices.Clone(seqs))) != 60 || seqs[0]-seqs[59] != 59 {
		b.t.Errorf("seq of the first two pages: %v", seqs)
	}
	search := func(label, low, high, from, to string) {
		b.t.Helper()
		b.run(fmt.Sprintf(`for (const [name, value] of Object.entries({label: %q, low: %q, high: %q, from: %q, to: %q}))
			document.querySelector('#filters').elements[name].value = value`,
			label, low, high, from, to))
		b.run(`document.querySelector('#found').textContent = ''`)
		b.click("#filters button")
		b.until(`document.querySelector('#found').textContent !== ''`)
	}
	search("crack", "", "", "", "")
	b.until(`document.querySelectorAll('#results li').length === 30 &&
		document.querySelectorAll('#results .badge.crack').length === 30`)
	search("", "90", "99.5", "", "")
	scores := eval[[]float64](b, `[...document.querySelectorAll('#results .row > :last-child')].map(e => parseFloat(e.textContent))`)
	if len(scores) == 0 || slices.Min(scores) < 90 || slices.Max(scores) > 99.5 {
		b.t.Errorf("scores of a search from 90 to 99.5: %v", scores)
	}
	const local = "2006-01-02T15:04"
	from, to := time.Now().Add(-50*time.Hour), time.Now().Add(-49*time.Hour)
	search("", "", "", from.Format(local), to.Format(local))
	n := eval[int](b, `document.querySelectorAll('#results li').length`)
	if n < 20 || n > 60 { // 3000 verdicts in 72 hours
		b.t.Errorf("%d verdicts in a search for one hour, want 20 to 60", n)
	}
	search("no_decision", "99.9", "", "", "")
	b.until(`document.querySelector('#found').textContent === 'No matching verdicts.' &&
		document.querySelector('#more').hidden`)
	search("no_decision", "", "", "", "")
	b.click("#results button")
	b.until(`document.querySelector('#detail').open &&
		/no frame within the budget/.test(document.querySelector('#detail').innerText)`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`!document.querySelector('#detail').open`)
	search("no_decision", "41", "43", "", "") // an unsure tire has a score
	b.until(`document.querySelectorAll('#results li').length === 1 &&
		/^42/.test(document.querySelector('#results .row > :last-child').textContent)`)
	b.click("#results button")
	b.until(`document.querySelector('#detail').open && /The model is unsure/.test(document.querySelector('#detail').innerText) &&
		/20.*60/.test(document.querySelector('#detail').innerText) &&
		document.querySelectorAll('#detail .votes .meter.no_decision').length === 1`)
	b.do(chromedp.KeyEvent(kb.Escape))
	b.until(`!document.querySelector('#detail').open`)
	search("", "", "", "", "")
}

// health: every tile shows its value.
func health(b *tab) {
	b.visit("health")
	b.until(`document.querySelectorAll('#health-tiles .tile').length === 8`)
	b.until(`/frames\/s/.test(document.querySelector('[data-tile=camera]').innerText) &&
		document.querySelector('[data-tile=camera]').classList.contains('good')`)
	b.until(`/not configured/.test(document.querySelector('[data-tile=broker]').innerText) &&
		/free/.test(document.querySelector('[data-tile=disk]').innerText)`)
	b.until(`/Working/.test(document.querySelector('#condition').textContent) &&
		/tirewatch 1.2.3/.test(document.querySelector('#version').textContent)`)
}

// model: a new model is on probation, is confirmed, and is then rolled back.
func model(b *tab, s *testStation, serial uint64) {
	b.visit("model")
	before := eval[string](b, `document.querySelector('.slot .serial').textContent`)
	key, err := bundle.ReadPrivateKey(filepath.Join(s.dir, "maker"))
	if err != nil {
		b.t.Fatal(err)
	}
	data, err := bundle.Encode(bundletest.Small(serial), key)
	if err != nil {
		b.t.Fatal(err)
	}
	write(b.t, s.dir, "inbox/new.part", string(data))
	name := fmt.Sprintf("inbox/%d.tire", serial)
	if err := os.Rename(filepath.Join(s.dir, "inbox/new.part"), filepath.Join(s.dir, name)); err != nil {
		b.t.Fatal(err)
	}
	b.until(fmt.Sprintf(`document.querySelector('.slot .serial').textContent === 'Serial %d' &&
		!document.querySelector('#trial').hidden`, serial))
	b.until(`/of 100,000 verdicts/.test(document.querySelector('#trial').innerText)`)
	b.click("#confirm")
	b.until(`document.querySelector('#ask').open`)
	b.click("#ask button[value=no]")
	b.until(`!document.querySelector('#ask').open && !document.querySelector('#trial').hidden`)
	b.click("#confirm")
	b.click("#ask button[value=yes]")
	b.until(`document.querySelector('#model-notice').textContent === 'The model is confirmed.' &&
		document.querySelector('.tag.proven') !== null`)
	b.click("#rollback")
	b.click("#ask button[value=yes]")
	b.until(fmt.Sprintf(`document.querySelector('#model-notice').textContent === 'The previous model is active again.' &&
		document.querySelector('.slot .serial').textContent === %q`, before))
}

// setup: focus and exposure are shown. The region is dragged, typed and saved, applies at once and
// is in the configuration file, whose comments remain.
func setup(b *tab, s *testStation) {
	b.visit("setup")
	b.until(`/best/.test(document.querySelector('#focus-now').textContent) &&
		document.querySelectorAll('#histogram i').length === 32`)
	b.until(`document.querySelector('#light-notice').textContent === 'The exposure is good.'`)
	b.click("#place input[value=region]")
	b.until(`document.querySelectorAll('#setup-stage .handle').length === 4`)
	b.run(`for (const [name, value] of Object.entries({x0: 40, y0: 50, x1: 300, y1: 320})) {
		const input = document.querySelector('#place').elements[name];
		input.value = value;
		input.dispatchEvent(new Event('input', {bubbles: true}));
	}`)
	b.run(`document.querySelector('#setup-stage').scrollIntoView({block: 'center'})`)
	at := eval[[]float64](b, `(() => {
		const r = document.querySelector('#setup-stage').getBoundingClientRect();
		return [r.left, r.top, r.width / 400] })()`)
	point := func(x, y float64) (float64, float64) { return at[0] + x*at[2], at[1] + y*at[2] }
	x0, y0 := point(300, 320)
	x1, y1 := point(360, 380)
	b.do(chromedp.DragAndDropXY(x0, y0, x1, y1, 5)) // the lower right corner
	x0, y0 = point(200, 200)
	x1, y1 = point(180, 190)
	b.do(chromedp.DragAndDropXY(x0, y0, x1, y1, 5)) // the whole region
	region := eval[[]int](b, `['x0', 'y0', 'x1', 'y1'].map(name => +document.querySelector('#place').elements[name].value)`)
	for i, want := range []int{20, 40, 340, 370} {
		if d := region[i] - want; d < -3 || d > 3 {
			b.t.Fatalf("dragged to %v, want about [20 40 340 370]", region)
		}
	}
	b.click("#place button")
	b.until(`/^Saved/.test(document.querySelector('#place-notice').textContent)`)
	cfg, err := config.Load(filepath.Join(s.dir, "station.toml"))
	if err != nil || cfg.Locate.Mode != config.LocateRegion || !slices.Equal(cfg.Locate.Region, region) {
		b.t.Errorf("configuration %v, %v, want region %v", cfg, err, region)
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "station.toml"))
	if err != nil || !strings.Contains(string(text), "# The station of a test.") ||
		!strings.Contains(string(text), "# synthetic") {
		b.t.Errorf("comments are missing from the file: %s", text)
	}
	b.visit("live")
	b.until(fmt.Sprintf(`(() => {
		const r = document.querySelector('#live-stage .region');
		return r && r.getAttribute('x') == %d && r.getAttribute('width') == %d })()`,
		region[0], region[2]-region[0]))
	// a fixed region has no outline
	b.until(`document.querySelectorAll('#live-stage .outline').length === 0`)
	b.visit("setup")
	b.click("#place input[value=round]")
	b.click("#place button")
	b.until(`/^Saved/.test(document.querySelector('#place-notice').textContent)`)
	b.until(`document.querySelectorAll('#setup-stage .outline').length === 1`)
}

// TestSettingThatCannotBeKept is a station whose service may not write its configuration, as in the
// package: the region applies, and the page shows which lines to write into which file.
func TestSettingThatCannotBeKept(t *testing.T) {
	b := browser(t)
	dir := prepareStation(t)
	s := start(t, dir, "")
	if err := os.Rename(filepath.Join(dir, "station.toml"), filepath.Join(dir, "elsewhere.toml")); err != nil {
		t.Fatal(err)
	}
	p := open(t, b, screens[0], "en", "light", s.url)
	p.visit("setup")
	p.click("#place input[value=region]")
	p.click("#place button")
	p.until(`/After a restart the old setting applies again/.test(document.querySelector('#place-notice').textContent)`)
	p.until(`/mode = "region", region = \[/.test(document.querySelector('#place-notice').textContent)`)
}

// TestLogIn: nothing is shown before the log-in, a viewer can change nothing, an operator can, and
// the log-out ends the session.
func TestLogIn(t *testing.T) {
	b := browser(t)
	dir := prepareStation(t)
	for name, password := range map[string]string{"page.password": "of an operator", "viewer.password": "of a viewer"} {
		line, err := web.Hash(password)
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, line+"\n")
	}
	s := start(t, dir, "password_file = \"page.password\"\nviewer_password_file = \"viewer.password\"\n")
	for _, size := range screens {
		p := open(t, b, size, "de", "dark", s.url)
		p.until(`location.pathname === '/login' && document.querySelector('#password') === document.activeElement`)
		try := func(password string) {
			t.Helper()
			p.do(chromedp.SendKeys("#password", password+kb.Enter))
		}
		try("of nobody")
		p.until(`document.querySelector('[role=alert]')?.textContent === 'Das Passwort ist falsch.'`)
		try("of a viewer")
		p.until(`location.pathname === '/' && document.body.dataset.role === 'viewer'`)
		p.visit("model")
		p.until(`document.querySelector('#confirm').disabled && document.querySelector('#rollback').disabled`)
		p.visit("setup")
		p.until(`document.querySelector('#place button').disabled`)
		p.click("header form button")
		p.until(`location.pathname === '/login'`)
		try("of an operator")
		p.until(`location.pathname === '/' && document.body.dataset.role === 'operator'`)
		p.visit("setup")
		p.until(`!document.querySelector('#place button').disabled`)
		p.click("header form button")
		p.until(`location.pathname === '/login'`)
	}
}

// fakeReview is a review queue in memory.
type fakeReview struct {
	mu     sync.Mutex
	queue  []verdict.Verdict
	labels map[uint64]verdict.Label
}

func (r *fakeReview) Waiting() (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.queue), nil
}

func (r *fakeReview) Next(n int) ([]verdict.Verdict, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.queue[:min(n, len(r.queue))]), nil
}

func (r *fakeReview) Label(seq uint64, label verdict.Label) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.labels[seq] = label
	r.queue = slices.DeleteFunc(r.queue, func(v verdict.Verdict) bool { return v.Seq == seq })
	return nil
}

// storePictures stores a crop of 40 px and a picture of the camera of 320 px.
func storePictures(t *testing.T, j *journal.Journal, seq uint64) {
	t.Helper()
	crop, err := review.Encode(make([]byte, 40*40), 40, review.Picture{Seq: seq})
	if err != nil {
		t.Fatal(err)
	}
	region := &frame.Frame{Pix: bytes.Repeat([]byte{60, 90, 120}, 320*320), Width: 320, Height: 320, Stride: 3 * 320, Format: frame.BGR}
	picture, err := review.EncodeCamera(region)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.SaveCropOf(seq, crop); err != nil {
		t.Fatal(err)
	}
	if err := j.SaveCamera(seq, picture); err != nil {
		t.Fatal(err)
	}
}

// TestReview labels images by key and by button, the most uncertain first.
func TestReview(t *testing.T) {
	b := browser(t)
	for _, size := range screens {
		r := &fakeReview{labels: map[uint64]verdict.Label{}}
		for seq, probability := range map[uint64]float64{7: 0.5, 5: 0.45, 9: 0.6} {
			r.queue = append(r.queue, verdict.Verdict{Seq: seq, Label: verdict.Normal, Probability: probability, Threshold: 0.5, Time: time.Now(),
				Votes: []verdict.Vote{{Frame: 3}}})
		}
		slices.SortFunc(r.queue, func(a, b verdict.Verdict) int {
			return slices.Index([]uint64{7, 5, 9}, a.Seq) - slices.Index([]uint64{7, 5, 9}, b.Seq)
		})
		page := bare(t, r)
		storePictures(t, page.journal, 7)
		p := open(t, b, size, "en", "light", page.url)
		p.visit("review")
		p.until(`document.querySelector('#review').dataset.seq === '7' &&
			document.querySelector('#review-count').textContent === '3 to review'`)
		if wide := eval[int](p, `document.scrollingElement.scrollWidth - innerWidth`); wide > 0 {
			t.Errorf("%s: %d px wider than the screen", size.name, wide)
		}
		// the picture of the camera, then what the network saw
		p.until(`[...document.querySelectorAll('#review-picture img')].map(i => i.naturalWidth).join() === '320,40' &&
			document.querySelector('#review-picture').innerText.split(/\s*\n\s*/).join() === 'As the camera sent it,What the network saw'`)
		p.run(`import('/static/verdicts.js').then(m => m.detail({seq: 7, label: 'crack', time: '2026-03-02T06:00:00Z', threshold: .5, votes: [],
			ms: {locate: 1, preprocess: 1, forward: 1}}))`)
		p.until(`[...document.querySelectorAll('#detail img')].map(i => i.naturalWidth).join() === '320,40'`)
		p.click("#detail button")
		p.until(`!document.querySelector('#detail').open && document.activeElement === document.body`) // it takes the keys
		p.do(chromedp.KeyEvent("2"))
		p.until(`document.querySelector('#review').dataset.seq === '5' && document.querySelector('#review-picture .both') === null &&
			document.querySelector('#review-notice').textContent === '#7: Crack'`)
		p.click("#choices [data-label=normal]")
		p.until(`document.querySelector('#review').dataset.seq === '9'`)
		p.do(chromedp.KeyEvent("3"))
		p.until(`document.querySelector('#review').dataset.seq === '' && document.querySelector('#choices').hidden`)
		r.mu.Lock()
		if got, want := fmt.Sprint(r.labels), fmt.Sprint(map[uint64]verdict.Label{7: verdict.Crack, 5: verdict.Normal, 9: ""}); got != want {
			t.Errorf("%s: labels %s, want %s", size.name, got, want)
		}
		r.mu.Unlock()
		// The heat map draws the tiles of a verdict, a higher score more opaque: a grid in place, a
		// side wall as a ring.
		p.run(`import('/static/verdicts.js').then(m => {
			const shapes = tiling => [...m.picture({seq: 1, label: 'crack', tiling}, '').querySelectorAll('.heat > *')].map(s =>
				[s.tagName, s.getAttribute('x') ?? s.getAttribute('d').split('A')[0], s.getAttribute('fill-opacity'), s.getAttribute('class')].join(' '));
			window.heat = [
				...shapes({worst: 0, tiles: [{crop: [100, 50, 200, 150], logit: 4}, {crop: [200, 50, 300, 150], logit: -4}]}),
				...shapes({worst: 1, ring: {outer: {r: 200}, inner: {r: 100}}, tiles: [
					{crop: [0, 0, 1, 1], to: 90, logit: -4}, {crop: [0, 0, 1, 1], from: 90, to: 180, logit: 4}]})] })`)
		p.until(`window.heat?.join() === 'rect 100 0.984 worst,rect 200 0.116 ,path M0.000 -1.000 0.116 ,path M1.000 -0.000 0.984 worst'`)
		// A second map lies over the crop of a tire that is unlike sound ones, without the cells that
		// are like them, and only over the tile that it belongs to.
		p.run(`import('/static/verdicts.js').then(m => {
			const cells = (label, extra) => [...m.picture({seq: 1, label, second_opinion: {unlike: true,
				heat: {w: 2, h: 2, cells: btoa(String.fromCharCode(0, 64, 128, 255))}, ...extra.second}, ...extra}, '').querySelectorAll('.unlike > *')]
				.map(s => [s.getAttribute('x'), s.getAttribute('y'), s.getAttribute('fill-opacity')].join(' '));
			const tiling = {worst: 1, tiles: [{crop: [0, 0, 9, 9], logit: 1}, {crop: [9, 0, 18, 9], logit: 2}]};
			window.unlike = [...cells('normal', {}), '|', ...cells('crack', {tiling}), '|', ...cells('normal', {tiling}).slice(0, 1),
				'|', ...cells('normal', {second: {unlike: false}})] })`)
		p.until(`window.unlike?.join() === '1 0 0.163,0 1 0.326,1 1 0.650,|,|,1 0 0.163,|'`)
	}
}

// TestEveryView checks the views in each language and on each screen, with both colour schemes
// among them: nothing is wider than the screen, and every control has a name and is large enough
// for a finger.
func TestEveryView(t *testing.T) {
	b := browser(t)
	s := start(t, prepareStation(t), "")
	for _, size := range screens {
		for i, language := range []string{"en", "de", "id"} {
			p := open(t, b, size, language, []string{"light", "dark"}[i%2], s.url)
			for _, view := range []string{"live", "history", "health", "model", "setup"} {
				p.visit(view)
				if wide := eval[int](p, `document.scrollingElement.scrollWidth - innerWidth`); wide > 0 {
					t.Errorf("%s, %s, %s: %d px wider than the screen", size.name, language, view, wide)
				}
				if bad := eval[[]string](p, unnamed); len(bad) > 0 {
					t.Errorf("%s, %s, %s: without a name: %v", size.name, language, view, bad)
				}
				if small := eval[[]string](p, tooSmall); len(small) > 0 {
					t.Errorf("%s, %s, %s: too small for a finger: %v", size.name, language, view, small)
				}
			}
		}
	}
}

// unnamed lists the visible controls and images that a screen reader could not name.
const unnamed = `[...document.querySelectorAll(
	'button, a, input, select, [role=meter], main svg[role=img], main img:not([alt])')]
	.filter(e => e.checkVisibility())
	.filter(e => !(e.innerText || '').trim() && !e.getAttribute('aria-label') && !(e.labels && e.labels.length))
	.map(e => e.outerHTML.slice(0, 80))`

// tooSmall lists the visible controls with a side of less than 44 px. For radio buttons, the label
// counts.
const tooSmall = `[...document.querySelectorAll('button, a, input:not([type=radio]), select, .modes label')]
	.filter(e => e.checkVisibility() && !e.closest('dialog'))
	.filter(e => {
		const r = e.getBoundingClientRect();
		return r.height < 43.5 || r.width < 43.5;
	})
	.map(e => e.outerHTML.slice(0, 80))`
