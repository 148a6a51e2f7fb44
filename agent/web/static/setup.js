// Setup: focus, exposure, and where the station looks for the tire.

import {$, t, el, draw, fixed, post, showNotice, showError} from './core.js';
import {Stage, watch, box} from './picture.js';

const minSide = 16; // px: a smaller region was a click, not a drag
let stage, state = null, region = null, mode = null, touched = false, best = 0;

export function begin() {
  stage = new Stage($('setup-stage'), t('setup.picture'));
  watch('setup', async (url, view) => {
    await stage.show(url, view);
    if (!view) return;
    if (!region) region = suggestion(view);
    paint();
    focus(view.focus);
    light(view.light);
  });
  $('focus-again').addEventListener('click', () => { best = 0; });
  $('place').addEventListener('submit', event => { event.preventDefault(); save(); });
  $('place').addEventListener('input', event => {
    touched = true;
    if (event.target.name === 'mode') mode = event.target.value;
    else region = ['x0', 'y0', 'x1', 'y1'].map(name => Math.max(0, Math.round($('place')[name].valueAsNumber || 0)));
    paint(event.target.name);
  });
  drag($('setup-stage'));
}

// suggestion is the crop of the tire in view, or a square in the middle of the frame.
function suggestion(view) {
  if (view.tires.length) return view.tires[0].crop.slice();
  const side = Math.round(0.8 * Math.min(view.width, view.height));
  const x = Math.round((view.width - side) / 2), y = Math.round((view.height - side) / 2);
  return [x, y, x + side, y + side];
}

export function update(s) {
  state = s;
  if (touched) return; // keep what the reader is changing
  mode = s.locate.mode;
  if (s.locate.region) region = s.locate.region.slice();
  paint();
}

function paint(typing) {
  if (!mode) return;
  const form = $('place');
  form.mode.value = mode;
  $('numbers').hidden = mode !== 'region';
  stage.figure.classList.toggle('editing', mode === 'region');
  if (region && typing === undefined) ['x0', 'y0', 'x1', 'y1'].forEach((name, i) => { form[name].value = region[i]; });
  if (!stage.view) return;
  if (mode !== 'region' || !region) {
    stage.over.replaceChildren(...stage.outlines(stage.view, null));
    return;
  }
  const unit = stage.view.width / stage.figure.clientWidth; // px of the frame in one px of the screen
  const [x0, y0, x1, y1] = region;
  stage.over.replaceChildren(
    draw('path.shade', {
      d: `M0 0H${stage.view.width}V${stage.view.height}H0zM${x0} ${y0}V${y1}H${x1}V${y0}z`, 'fill-rule': 'evenodd',
    }),
    draw('rect.region', box(region)),
    ...[[x0, y0], [x1, y0], [x0, y1], [x1, y1]].map(([x, y]) => draw('circle.handle', {cx: x, cy: y, r: 9 * unit})));
}

// drag changes the region with mouse, finger or pen: a drag from a corner resizes it, one from inside
// moves it, one from outside starts a new one.
function drag(figure) {
  let held = null;
  const at = event => {
    const r = figure.getBoundingClientRect(), {width, height} = stage.view;
    const x = Math.round((event.clientX - r.left) * width / r.width);
    const y = Math.round((event.clientY - r.top) * height / r.height);
    return [x, y, width / r.width];
  };
  figure.addEventListener('pointerdown', event => {
    if (mode !== 'region' || !stage.view || !region || !event.isPrimary) return;
    const [x, y, unit] = at(event), near = 24 * unit; // the reach of a finger
    const [x0, y0, x1, y1] = region;
    // indexes into region: 0 and 2 are left and right, 1 and 3 are top and bottom
    const corner = [
      Math.abs(x - x0) < near ? 0 : Math.abs(x - x1) < near ? 2 : -1,
      Math.abs(y - y0) < near ? 1 : Math.abs(y - y1) < near ? 3 : -1,
    ];
    if (corner[0] >= 0 && corner[1] >= 0) held = {corner};
    else if (x > x0 && x < x1 && y > y0 && y < y1) held = {from: [x, y], was: region.slice()};
    else { region = [x, y, x, y]; held = {corner: [2, 3]}; }
    touched = true;
    figure.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  figure.addEventListener('pointermove', event => {
    if (!held) return;
    const {width, height} = stage.view;
    const [x, y] = at(event).map((v, i) => Math.max(0, Math.min(v, i ? height : width)));
    if (held.corner) {
      region[held.corner[0]] = x;
      region[held.corner[1]] = y;
    } else {
      const w = held.was;
      const dx = Math.max(-w[0], Math.min(x - held.from[0], width - w[2]));
      const dy = Math.max(-w[1], Math.min(y - held.from[1], height - w[3]));
      region = [w[0] + dx, w[1] + dy, w[2] + dx, w[3] + dy];
    }
    paint();
  });
  const end = () => {
    if (!held) return;
    held = null;
    const [x0, y0, x1, y1] = region;
    region = [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
    if (region[2] - region[0] < minSide || region[3] - region[1] < minSide) {
      region = state?.locate.region?.slice() || suggestion(stage.view);
    }
    paint();
  };
  figure.addEventListener('pointerup', end);
  figure.addEventListener('pointercancel', end);
}

async function save() {
  const said = $('place-notice');
  if (mode === 'region' && (region[0] >= region[2] || region[1] >= region[3])) {
    showNotice(said, t('place.empty'), 'bad');
    return;
  }
  try {
    await post('/api/locate', mode === 'region' ? {mode, region} : {mode});
    showNotice(said, t('place.saved'), 'good');
    if (mode === 'region' && state?.locate.learn) said.append(' ', t('place.learn', {n: state.locate.learn}));
    touched = false;
  } catch (error) {
    showError(said, error);
    if (error.status === 409) touched = false; // active, but not saved
  }
}

// focus shows the sharpness as a share of the best value so far.
function focus(now) {
  best = Math.max(best, now, 1e-9);
  const meter = $('focus');
  meter.firstChild.style.width = 100 * now / best + '%';
  meter.lastChild.style.left = '100%';
  meter.setAttribute('aria-valuenow', Math.round(100 * now / best));
  $('focus-now').textContent = t('focus.now', {now: fixed(now, 1), best: fixed(best, 1)});
}

// light shows the histogram of grey levels and says what to change.
function light(l) {
  const bars = $('histogram');
  if (bars.children.length !== l.histogram.length) bars.replaceChildren(...l.histogram.map(() => el('i')));
  const highest = Math.max(...l.histogram, 1);
  l.histogram.forEach((n, i) => { bars.children[i].style.height = 100 * Math.sqrt(n / highest) + '%'; });
  const [word, kind] = l.bright > 0.01 ? ['light.too_bright', 'bad']
    : l.upper < 90 ? ['light.too_dark', 'bad'] : ['light.good', 'good'];
  showNotice($('light-notice'), t(word), kind);
}
