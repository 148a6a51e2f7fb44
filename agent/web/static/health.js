// Health: what is wrong in words, and the figures that one looks at when something is.

import {$, t, el, count, fixed, bytes, duration, hasMessage} from './core.js';
import {partName} from './verdicts.js';

// From where on a figure is worth a look, and from where on it is bad. A Raspberry Pi slows down at 80 to 85 degrees
// (raspberrypi.com/documentation, "Frequency management and thermal control"); below 64 MiB of disk the doctor calls a station broken.
const limits = {temperature: [75, 82], disk: [500e6, 64 * 2 ** 20], oldest: [60, 600]};

let before = null, rate = null;

function tile(name, state, value, more) {
  return el('li.tile.' + state, {'data-tile': name}, el('span.name', {}, t('health.' + name)), el('span.value', {}, value),
    el('span.more', {}, more || ''), el('span.state', {}, state === 'none' ? '' : t('state.' + state)));
}

const above = (x, [warn, bad]) => x >= bad ? 'bad' : x >= warn ? 'warn' : 'good';
const below = (x, [warn, bad]) => x < bad ? 'bad' : x < warn ? 'warn' : 'good';

export function update(s) {
  const h = s.health, wrong = new Map(s.problems.map(p => [p.part, p.text]));
  if (before && h.frames >= before.frames && h.time !== before.time) {
    rate = (h.frames - before.frames) / ((new Date(h.time) - new Date(before.time)) / 1000);
  }
  before = h;
  $('problems').replaceChildren(...s.problems.map(p =>
    el('div.notice.bad', {role: 'alert'}, el('strong', {}, partName(p.part)), el('span.detail', {lang: 'en'}, p.text))));
  const trial = s.model.trial_of > 0;
  $('health-tiles').replaceChildren(
    tile('camera', wrong.has('camera') ? 'bad' : 'good', wrong.has('camera') ? t('health.gone') : rate === null ? '…' : t('health.rate', {n: fixed(rate, 1)}),
      t('health.restarts', {n: count(h.camera_restarts)})),
    tile('broker', !s.broker.named ? 'none' : s.broker.connected ? 'good' : 'bad',
      t(!s.broker.named ? 'health.no_broker' : s.broker.connected ? 'health.connected' : 'health.unconnected')),
    tile('queue', !s.broker.named ? 'none' : above(h.queued ? h.oldest_s : 0, limits.oldest),
      s.broker.named ? t('health.waiting', {n: count(h.queued)}) : '–', s.broker.named && h.queued ? t('health.oldest', {span: duration(h.oldest_s)}) : ''),
    tile('disk', h.disk_free_bytes === undefined ? 'none' : below(h.disk_free_bytes, limits.disk),
      h.disk_free_bytes === undefined ? '–' : t('health.free', {bytes: bytes(h.disk_free_bytes)})),
    tile('temperature', h.temperature_c === undefined ? 'none' : above(h.temperature_c, limits.temperature),
      h.temperature_c === undefined ? t('health.no_sensor') : fixed(h.temperature_c, 0) + ' °C'),
    tile('model', !s.model.active ? 'bad' : s.model.ended || trial ? 'warn' : 'good',
      s.model.active ? t('health.serial', {n: s.model.active.serial}) : t('health.no_model'),
      s.model.ended ? t('model.ended') : trial ? t('model.trial') : ''),
    tile('memory', 'none', h.memory_bytes === undefined ? '–' : bytes(h.memory_bytes)),
    tile('since', 'none', duration((new Date(h.time) - new Date(h.since)) / 1000), t('health.frames', {n: count(h.frames)})));
  drift(h.drift || {});
  $('version').textContent = 'tirewatch ' + s.version;
}

// drift shows each statistic on a scale of three standard deviations to both sides.
function drift(statistics) {
  const names = Object.keys(statistics).sort();
  $('drift').replaceChildren(...(names.length === 0 ? [el('p.muted', {}, t('drift.none'))] : names.map(name => {
    const {deviations, alarm} = statistics[name], mark = el('b');
    mark.style.left = 50 + 50 * Math.max(-1, Math.min(1, deviations / 3)) + '%';
    const title = hasMessage('drift.' + name) ? t('drift.' + name) : name;
    return el('div.statistic' + (alarm ? '.bad' : ''), {}, el('span', {}, title), el('div.middle', {
      role: 'meter', 'aria-label': title, 'aria-valuemin': -3, 'aria-valuemax': 3, 'aria-valuenow': deviations.toFixed(2),
    }, mark), el('span.number', {}, (deviations > 0 ? '+' : '') + fixed(deviations, 1) + ' σ'));
  })));
}
