// Health: problems in words, and the station's counters and gauges.

import {$, t, el, count, fixed, bytes, duration, hasMessage} from './core.js';
import {partName} from './verdicts.js';

// Limits of a warning and of a fault. A Raspberry Pi reduces its clock at 80 to 85 °C
// (raspberrypi.com/documentation, "Frequency management and thermal control"). Below 64 MiB of free
// disk the doctor reports a fault.
const limits = {
  temperature: [75, 82], // °C
  disk: [500e6, 64 * 2 ** 20], // bytes
  oldest: [60, 600], // s
};

let before = null, rate = null;

function tile(name, state, value, more) {
  return el('li.tile.' + state, {'data-tile': name},
    el('span.name', {}, t('health.' + name)), el('span.value', {}, value),
    el('span.more', {}, more || ''), el('span.state', {}, state === 'none' ? '' : t('state.' + state)));
}

const above = (x, [warn, bad]) => x >= bad ? 'bad' : x >= warn ? 'warn' : 'good';
const below = (x, [warn, bad]) => x < bad ? 'bad' : x < warn ? 'warn' : 'good';

export function update(s) {
  const h = s.health;
  if (before && h.frames >= before.frames && h.time !== before.time) {
    rate = (h.frames - before.frames) / ((new Date(h.time) - new Date(before.time)) / 1000);
  }
  before = h;
  $('problems').replaceChildren(...s.problems.map(p => el('div.notice.bad', {role: 'alert'},
    el('strong', {}, partName(p.part)), el('span.detail', {lang: 'en'}, p.text))));
  $('health-tiles').replaceChildren(
    cameraTile(s), brokerTile(s.broker), queueTile(s), diskTile(h), temperatureTile(h), modelTile(s.model),
    tile('memory', 'none', h.memory_bytes === undefined ? '–' : bytes(h.memory_bytes)),
    tile('since', 'none', duration((new Date(h.time) - new Date(h.since)) / 1000),
      t('health.frames', {n: count(h.frames)})));
  drift(h.drift || {});
  $('version').textContent = 'tirewatch ' + s.version;
}

function cameraTile(s) {
  const gone = s.problems.some(p => p.part === 'camera');
  const perSecond = rate === null ? '…' : t('health.rate', {n: fixed(rate, 1)});
  return tile('camera', gone ? 'bad' : 'good', gone ? t('health.gone') : perSecond,
    t('health.restarts', {n: count(s.health.camera_restarts)}));
}

function brokerTile(broker) {
  if (!broker.named) return tile('broker', 'none', t('health.no_broker'));
  if (!broker.connected) return tile('broker', 'bad', t('health.unconnected'));
  return tile('broker', 'good', t('health.connected'));
}

function queueTile(s) {
  if (!s.broker.named) return tile('queue', 'none', '–');
  const {queued, oldest_s: oldest} = s.health;
  return tile('queue', above(queued ? oldest : 0, limits.oldest), t('health.waiting', {n: count(queued)}),
    queued ? t('health.oldest', {span: duration(oldest)}) : '');
}

function diskTile({disk_free_bytes: free}) {
  if (free === undefined) return tile('disk', 'none', '–');
  return tile('disk', below(free, limits.disk), t('health.free', {bytes: bytes(free)}));
}

function temperatureTile({temperature_c: degrees}) {
  if (degrees === undefined) return tile('temperature', 'none', t('health.no_sensor'));
  return tile('temperature', above(degrees, limits.temperature), fixed(degrees, 0) + ' °C');
}

function modelTile(m) {
  if (!m.active) return tile('model', 'bad', t('health.no_model'), m.ended ? t('model.ended') : '');
  const note = m.ended ? t('model.ended') : m.trial_of > 0 ? t('model.trial') : '';
  return tile('model', note ? 'warn' : 'good', t('health.serial', {n: m.active.serial}), note);
}

// drift shows each statistic on a scale of three standard deviations in both directions.
function drift(statistics) {
  const names = Object.keys(statistics).sort();
  if (names.length === 0) {
    $('drift').replaceChildren(el('p.muted', {}, t('drift.none')));
    return;
  }
  $('drift').replaceChildren(...names.map(name => {
    const {deviations, alarm} = statistics[name], mark = el('b');
    mark.style.left = 50 + 50 * Math.max(-1, Math.min(1, deviations / 3)) + '%';
    const title = hasMessage('drift.' + name) ? t('drift.' + name) : name;
    const meter = el('div.middle', {
      role: 'meter', 'aria-label': title, 'aria-valuemin': -3, 'aria-valuemax': 3,
      'aria-valuenow': deviations.toFixed(2),
    }, mark);
    const value = (deviations > 0 ? '+' : '') + fixed(deviations, 1) + ' σ';
    return el('div.statistic' + (alarm ? '.bad' : ''), {},
      el('span', {}, title), meter, el('span.number', {}, value));
  }));
}
