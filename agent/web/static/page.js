// The page: selects the view and polls the station's state, which all views share.

import {$, t, el, getJSON, operator, showNotice} from './core.js';
import {setVisible} from './picture.js';
import {partName} from './verdicts.js';
import * as live from './live.js';
import * as history from './history.js';
import * as review from './review.js';
import * as health from './health.js';
import * as model from './model.js';
import * as setup from './setup.js';

const views = {live, history, review, health, model, setup};
const pollInterval = 2000; // ms between two requests for the state

for (const e of document.querySelectorAll('.operator')) {
  e.disabled = !operator;
  if (!operator) e.title = t('error.only_operator');
}
$('language').addEventListener('change', event => { location.href = '/language/' + event.target.value; });

function shown() {
  const name = location.hash.slice(1);
  return $(name) && views[name] ? name : 'live';
}

function open() {
  const name = shown();
  for (const view of Object.keys(views)) if ($(view)) $(view).hidden = view !== name;
  for (const a of $('views').children) {
    if (a.hash === '#' + name) a.setAttribute('aria-current', 'page');
    else a.removeAttribute('aria-current');
  }
  setVisible(name);
  views[name].open?.();
  if (state) views[name].update?.(state);
  scrollTo(0, 0);
}

let state = null;

// condition shows in the page's header, above every view, whether the station works.
function condition(s) {
  const bad = s.problems.length > 0 || !s.model.active;
  $('condition').className = 'condition ' + (bad ? 'bad' : 'good');
  const parts = s.problems.map(p => partName(p.part)).join(', ');
  $('condition').textContent = !bad ? t('condition.good')
    : parts ? t('condition.bad', {part: parts}) : t('health.no_model');
}

async function poll() {
  if (document.visibilityState === 'visible') {
    try {
      state = await getJSON('/api/state');
      showNotice($('connection'), '');
      condition(state);
      views[shown()].update?.(state);
    } catch (error) {
      showNotice($('connection'), t('lost'), 'bad');
      $('condition').className = 'condition bad';
      $('condition').textContent = t('condition.lost');
    }
  }
  setTimeout(poll, pollInterval);
}

for (const view of Object.keys(views)) if ($(view)) views[view].begin?.();
addEventListener('hashchange', open);
open();
poll();
