// Model: the two slots, the probation, and the buttons to confirm and to roll back.

import {
  $, t, el, count, percent, dayAndClock, day, post, askYesNo, showNotice, showError, getJSON, operator,
  hasMessage,
} from './core.js';

export function begin() {
  $('confirm').addEventListener('click', () => act('confirm', 'model.ask_confirm', 'model.confirmed'));
  $('rollback').addEventListener('click', () => act('rollback', 'model.ask_rollback', 'model.rolled_back'));
}

async function act(command, question, done) {
  if (!await askYesNo(t(question))) return;
  try {
    await post('/api/model/' + command, {});
    showNotice($('model-notice'), t(done), 'good');
    update(await getJSON('/api/state'));
  } catch (error) {
    showError($('model-notice'), error);
  }
}

function slot(title, s, kind) {
  const tag = kind ? el('span.tag.' + kind, {}, t('model.' + kind)) : el('span');
  const head = el('p.spread', {}, el('span.name', {}, t(title)), tag);
  if (!s) return el('div.card.slot', {}, head, el('p.muted', {}, t('model.empty')));
  const fact = (name, value) => [el('dt', {}, t(name)), el('dd', {}, value)];
  return el('div.card.slot', {}, head, el('p.serial', {}, t('health.serial', {n: s.serial})), el('dl.facts', {},
    ...fact('model.hash', s.hash),
    ...fact('model.created', day(s.created)),
    ...fact('model.since', dayAndClock(s.since)),
    ...fact('detail.threshold', (s.sound_below ? percent(s.sound_below, 1) + ' / ' : '') + percent(s.threshold, 1)),
    ...fact('model.kernel', s.kernel),
    ...(s.not_after ? fact('model.not_after', day(s.not_after)) : [])));
}

export function update(s) {
  const m = s.model, trial = m.trial_of > 0;
  const kind = !m.active ? '' : m.ended ? 'ended' : trial ? 'trial' : 'proven';
  $('slots').replaceChildren(slot('model.active', m.active, kind), slot('model.previous', m.previous, ''));
  $('trial').hidden = !trial;
  if (trial) {
    const bar = el('i');
    bar.style.width = 100 * Math.min(1, m.trial_verdicts / m.trial_of) + '%';
    $('trial').replaceChildren(el('h2', {}, t('model.trial')),
      el('div.meter.big', {
        role: 'meter', 'aria-label': t('model.trial'), 'aria-valuemin': 0, 'aria-valuemax': m.trial_of,
        'aria-valuenow': m.trial_verdicts,
      }, bar),
      el('p.spread', {}, el('span', {}, t('model.progress', {n: count(m.trial_verdicts), of: count(m.trial_of)})),
        ...(m.trial_unsure ? [el('span', {}, t('model.unsure', {n: count(m.trial_unsure)}))] : []),
        el('span', {}, t('model.differ', {n: count(m.disagreements), of: count(m.compared)}))),
      el('p.muted', {}, t('model.trial_what')));
  }
  $('confirm').disabled = !operator || !trial;
  $('rollback').disabled = !operator || !m.previous;
  const e = m.last;
  $('model-last').textContent = e ? t('model.last', {
    n: e.serial, what: hasMessage('event.' + e.event) ? t('event.' + e.event) : e.event,
    time: dayAndClock(e.time),
  }) : '';
}
