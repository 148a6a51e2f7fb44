// Live, the first view: image, verdict, counters of the shift, latest tires.

import {$, t, el, count, percent, getJSON, day} from './core.js';
import {Stage, watch} from './picture.js';
import {showLarge, card} from './verdicts.js';

const shownLast = 12;
let stage, state = null, lastSeq = 0, fetching = false;

export function begin() {
  stage = new Stage($('live-stage'), t('live.picture'));
  watch('live', async (url, view) => {
    await stage.show(url, view);
    if (!view) return;
    stage.over.replaceChildren(...stage.outlines(view, state?.locate.mode === 'region' ? state.locate.region : null));
    stage.score(view.verdict);
    if (view.verdict) {
      showLarge($('verdict'), view.verdict);
      last(view.verdict.seq);
    }
  });
}

// hours are in the station's time zone, which may differ from the reader's.
const hours = shift => shift.start.slice(11, 16) + '–' + shift.end.slice(11, 16);

// figures are the counts of a shift. The counts do not say which tires without a decision passed,
// so a station that lets unsure tires pass has no reject rate.
function figures(shift) {
  const v = shift.verdicts;
  const all = v.normal + v.crack + v.no_decision;
  const rejected = v.crack + v.no_decision;
  return [
    ['inspected', count(all)], ['crack', count(v.crack)], ['no_decision', count(v.no_decision)],
    ['trigger_errors', count(shift.trigger_errors)], ['reject_rate', all && state.on_unsure !== 'pass' ? percent(rejected / all) : '–'],
  ];
}

export function update(s) {
  state = s;
  const [present, ...earlier] = s.shifts;
  $('shift-title').textContent = t('shift.title', {hours: hours(present)});
  $('shift').replaceChildren(...figures(present).map(([name, value]) =>
    el('div.figure.' + name, {}, el('dt', {}, t('shift.' + name)), el('dd', {}, value))));
  $('earlier').hidden = earlier.length === 0;
  $('shifts').replaceChildren(
    el('thead', {}, el('tr', {}, el('th', {scope: 'col'}, t('shift.when')),
      ...figures(present).map(([name]) => el('th', {scope: 'col'}, t('shift.' + name))))),
    el('tbody', {}, ...earlier.map(shift => el('tr', {},
      el('th', {scope: 'row'}, `${day(shift.start)} ${hours(shift)}`),
      ...figures(shift).map(([, value]) => el('td', {}, value))))));
  if (s.last === 0) showLarge($('verdict'), null);
  last(s.last);
}

// last loads the latest tires when there is a new one.
async function last(seq) {
  if (seq === lastSeq || fetching) return;
  fetching = true;
  try {
    const {verdicts} = await getJSON('/api/verdicts?limit=' + shownLast);
    lastSeq = seq;
    const known = new Map([...$('last').children].map(e => [e.dataset.seq, e]));
    $('last').replaceChildren(...(verdicts || []).map(v => known.get(String(v.seq)) || card(v)));
    if (verdicts?.length && !$('verdict').dataset.shown) showLarge($('verdict'), verdicts[0]);
  } catch { /* the next request for the state reports the fault */ }
  fetching = false;
}
