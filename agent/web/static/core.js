// Shared by all views: messages, numbers and times in the reader's language, elements, requests.

const messages = JSON.parse(document.getElementById('messages').textContent);
export const lang = document.documentElement.lang;
export const operator = document.body.dataset.role === 'operator';

// t returns the message of a key with each {name} replaced by values[name].
export function t(key, values = {}) {
  const text = messages[key];
  if (text === undefined) throw new Error('missing message ' + key);
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export const hasMessage = key => key in messages;
export const $ = id => document.getElementById(id);

// el makes an element: el('p.muted', {title: 'x'}, 'text', child). An attribute whose value is a
// function becomes an event listener.
export function el(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split('.');
  return fill(document.createElement(tag), classes, attributes, children);
}

// draw is el for SVG.
export function draw(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split('.');
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), classes, attributes, children);
}

function fill(e, classes, attributes, children) {
  if (classes.length) e.setAttribute('class', classes.join(' '));
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') e.addEventListener(name, value);
    else if (value === true) e.setAttribute(name, '');
    else if (value !== undefined && value !== null && value !== false) e.setAttribute(name, value);
  }
  e.append(...children.filter(c => c !== null && c !== undefined));
  return e;
}

export const icon = name => draw('svg.icon', {'aria-hidden': 'true'}, draw('use', {href: '#i-' + name}));

const plain = new Intl.NumberFormat(lang);
export const count = n => plain.format(n);
const digitsOf = n => ({minimumFractionDigits: n, maximumFractionDigits: n});
export const fixed = (x, digits) => new Intl.NumberFormat(lang, digitsOf(digits)).format(x);
// percent never shows 0 % or 100 % for a score that is only close to it.
export const percent = (x, digits = 1) => {
  const scale = 100 * 10 ** digits;
  const shown = x > 0 && x < 1 ? Math.min(Math.max(Math.round(x * scale), 1), scale - 1) / scale : x;
  return new Intl.NumberFormat(lang, {style: 'percent', ...digitsOf(digits)}).format(shown);
};

const clockFormat = new Intl.DateTimeFormat(lang,
  {hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false});
const dateFormat = new Intl.DateTimeFormat(lang, {day: '2-digit', month: 'short', year: 'numeric'});
export const clock = time => clockFormat.format(new Date(time));
export const day = time => dateFormat.format(new Date(time));
export const dayAndClock = time => day(time) + ', ' + clock(time);

export function bytes(n) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let i = 0;
  for (; n >= 1000 && i < units.length - 1; i++) n /= 1000;
  return fixed(n, n < 10 && i > 0 ? 1 : 0) + ' ' + units[i];
}

export function duration(seconds) {
  if (seconds < 90) return fixed(seconds, 0) + ' s';
  if (seconds < 5400) return fixed(seconds / 60, 0) + ' min';
  if (seconds < 48 * 3600) return fixed(seconds / 3600, 0) + ' h';
  return fixed(seconds / 86400, 0) + ' d';
}

// StationError is an error response of the station.
export class StationError extends Error {
  constructor(status, body) {
    super(hasMessage('error.' + body.code) ? t('error.' + body.code) : body.code);
    this.status = status;
    this.detail = body.detail || '';
    this.hint = body.hint || '';
  }
}

async function checked(response) {
  if (response.ok) return response;
  if (response.status === 401) location.href = '/login';
  let body = {code: 'internal', detail: response.status + ' ' + response.statusText};
  if ((response.headers.get('Content-Type') || '').startsWith('application/json')) body = await response.json();
  throw new StationError(response.status, body);
}

export const get = (path, options) => fetch(path, options).then(checked);
export const getJSON = path => get(path).then(r => r.json());
export const post = (path, body) => get(path,
  {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});

// showNotice shows the result of an action. An empty text hides the notice.
export function showNotice(where, text, kind = '') {
  where.hidden = !text;
  where.className = 'notice ' + kind;
  where.textContent = text;
}

export function showError(where, error) {
  showNotice(where, error.message, 'bad');
  if (error.detail) where.append(el('span.detail', {lang: 'en'}, error.detail));
  if (error.hint) where.append(el('span.detail', {lang: 'en'}, error.hint));
}

// askYesNo asks for a yes before an action that no click can undo.
export function askYesNo(text) {
  const dialog = $('ask');
  $('ask-text').textContent = text;
  dialog.showModal();
  // The event close fires later and could answer the next question.
  return new Promise(resolve => {
    dialog.querySelector('form').onsubmit = event => resolve(event.submitter.value === 'yes');
    dialog.oncancel = () => resolve(false);
  });
}
