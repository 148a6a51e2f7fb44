// The review queue: one image at a time, the most uncertain first, labelled by a key or a button.

import {$, t, el, getJSON, post, operator, showNotice, showError, count, percent} from './core.js';
import {pictures, facts} from './verdicts.js';

let waiting = [], all = 0, busy = false;

export function begin() {
  for (const button of $('choices').children) {
    button.disabled = !operator;
    button.addEventListener('click', () => label(button.dataset.label));
  }
  document.addEventListener('keydown', event => {
    if ($('review').hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest('input, select, dialog')) return;
    const button = [...$('choices').children].find(b => b.dataset.key === event.key);
    if (button && !button.disabled) {
      event.preventDefault();
      label(button.dataset.label);
    }
  });
}

export async function open() {
  try {
    const answer = await getJSON('/api/review');
    waiting = answer.waiting || [];
    all = answer.all;
    show();
  } catch (error) {
    showError($('review-notice'), error);
  }
}

function show() {
  const v = waiting[0];
  $('review-count').textContent = all === 0 ? t('review.done') : t('review.count', {n: count(all)});
  $('choices').hidden = !v;
  $('review-picture').replaceChildren(v ? pictures(v) : el('p.wait', {}, t('review.done')));
  $('review-facts').replaceChildren(...(v ? facts(v).slice(0, 6) : []));
  $('review').dataset.seq = v ? v.seq : '';
}

async function label(label) {
  const v = waiting[0];
  if (!v || busy) return;
  busy = true;
  try {
    await post('/api/review', {seq: v.seq, label});
    const word = label ? t('label.' + label) : t('review.neither');
    showNotice($('review-notice'), t('review.said', {seq: v.seq, label: word}), 'good');
    waiting.shift();
    all = Math.max(0, all - 1);
    if (waiting.length === 0 && all > 0) await open();
    else show();
  } catch (error) {
    showError($('review-notice'), error);
  }
  busy = false;
}
