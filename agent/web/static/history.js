// History: a search by time, label and score, in pages.

import {$, t, getJSON, showError, showNotice, count} from './core.js';
import {row} from './verdicts.js';

let below = '', searched = false, shown = 0;

export function begin() {
  $('filters').addEventListener('submit', event => { event.preventDefault(); search(); });
  $('more').addEventListener('click', next);
}

export function open() { if (!searched) search(); }

function search() {
  searched = true;
  below = '';
  shown = 0;
  $('results').replaceChildren();
  return next();
}

async function next() {
  const form = new FormData($('filters'));
  const query = new URLSearchParams({limit: 30});
  for (const name of ['from', 'to']) {
    if (form.get(name)) query.set(name, new Date(form.get(name)).toISOString());
  }
  if (form.get('label')) query.set('label', form.get('label'));
  for (const name of ['low', 'high']) {
    if (form.get(name) !== '') query.set(name, form.get(name) / 100);
  }
  if (below) query.set('below', below);
  $('more').disabled = true;
  try {
    const answer = await getJSON('/api/verdicts?' + query);
    const verdicts = answer.verdicts || [];
    shown += verdicts.length;
    below = answer.below || '';
    $('results').append(...verdicts.map(row));
    $('more').hidden = !below;
    const some = below ? 'history.first' : 'history.all';
    showNotice($('found'), shown === 0 && !below ? t('history.none') : t(some, {n: count(shown)}));
    $('found').className = 'muted';
  } catch (error) {
    showError($('found'), error);
  }
  $('more').disabled = false;
}
