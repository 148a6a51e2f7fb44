// Verdicts: the large one, cards with crops, heat maps, and the dialog with everything about one.

import {$, t, el, draw, icon, percent, fixed, count, clock, dayAndClock, hasMessage} from './core.js';

// badge is a label with its sign, so that nobody has to tell colours apart.
export const badge = label => el('span.badge.' + label, {}, icon(label), t('label.' + label));

// scale shows a probability beside the threshold.
export function scale(v) {
  const bar = el('i'), mark = el('b');
  bar.style.width = 100 * v.probability + '%';
  mark.style.left = 100 * v.threshold + '%';
  return el('div.meter.' + v.label, {
    role: 'meter', 'aria-label': t('score'), 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': fixed(100 * v.probability, 1),
  }, bar, mark);
}

// large is the verdict that one sees from afar.
export function showLarge(where, v) {
  const key = v ? v.seq + v.label : '';
  if (where.dataset.shown === key) return;
  where.dataset.shown = key;
  where.className = 'card verdict ' + (v ? v.label : '');
  if (!v) {
    where.replaceChildren(el('p.muted', {}, t('verdict.none')));
    return;
  }
  where.replaceChildren(
    el('p.which', {}, t('verdict.which', {seq: v.seq, time: clock(v.time)})),
    el('p.word', {}, icon(v.label), t('label.' + v.label)),
    picture(v, t('crop.of', {seq: v.seq})),
    el('p.spread', {}, el('span', {}, t('score')), el('strong', {}, v.label === 'no_decision' ? '–' : percent(v.probability))),
    scale(v),
    el('p.muted', {}, t('threshold', {percent: percent(v.threshold, 0)})));
}

// heatMap draws the scores of a verdict's tiles, the hotter the surer: a side wall as a ring with 0 degrees at the top, else the grid. The worst
// tile, whose picture is kept, has a border. null for a tire in one piece.
export function heatMap(v) {
  if (!v.tiling?.tiles?.length) return null;
  const {tiles, worst, ring} = v.tiling;
  const shapes = tiles.map((tile, i) => {
    const score = 1 / (1 + Math.exp(-tile.logit));
    const look = {'fill-opacity': (0.1 + 0.9 * score).toFixed(3), class: i === worst ? 'worst' : ''};
    const [x0, y0, x1, y1] = tile.crop;
    const shape = ring ? draw('path', {...look, d: sector(tile.from || 0, tile.to || 0, ring.inner.r / ring.outer.r)})
      : draw('rect', {...look, x: x0, y: y0, width: x1 - x0, height: y1 - y0});
    shape.append(draw('title', {}, percent(score)));
    return shape;
  });
  const left = Math.min(...tiles.map(tile => tile.crop[0])), top = Math.min(...tiles.map(tile => tile.crop[1]));
  const right = Math.max(...tiles.map(tile => tile.crop[2])), bottom = Math.max(...tiles.map(tile => tile.crop[3]));
  return draw('svg.heat', {viewBox: ring ? '-1.05 -1.05 2.1 2.1' : [left, top, right - left, bottom - top].join(' '), role: 'img', 'aria-label': t('heat')}, ...shapes);
}

// sector is the outline of a piece of ring, angles in degrees from the top, clockwise; the outer radius is 1.
function sector(from, to, inner) {
  const at = (angle, r) => (r * Math.sin(angle * Math.PI / 180)).toFixed(3) + ' ' + (-r * Math.cos(angle * Math.PI / 180)).toFixed(3);
  const large = to - from > 180 ? 1 : 0;
  return `M${at(from, 1)}A1 1 0 ${large} 1 ${at(to, 1)}L${at(to, inner)}A${inner} ${inner} 0 ${large} 0 ${at(from, inner)}Z`;
}

// picture is a crop with its heat map in a corner, or a sign that there is none.
export function picture(v, alt) {
  const frame = el('span.picture');
  const image = el('img', {alt, loading: 'lazy', src: '/api/crop/' + v.seq});
  image.addEventListener('error', () => frame.replaceChildren(el('span.missing', {title: t('crop.none')}, icon(v.label))));
  frame.append(image);
  const heat = heatMap(v);
  if (heat) frame.append(heat);
  return frame;
}

// card is a verdict in the grid of the last ones.
export function card(v) {
  const title = `#${v.seq} ${t('label.' + v.label)}`;
  return el('li', {'data-seq': v.seq}, el('button.crop.' + v.label, {click: () => detail(v), 'aria-label': t('detail.of', {name: title})},
    picture(v, ''),
    el('span.caption', {}, badge(v.label), el('span.number', {}, v.label === 'no_decision' ? '–' : percent(v.probability))),
    el('span.caption.muted', {}, el('span', {}, '#' + v.seq), el('span', {}, clock(v.time)))));
}

// row is a verdict in the history.
export function row(v) {
  return el('li', {'data-seq': v.seq}, el('button.row', {click: () => detail(v), 'aria-label': t('detail.of', {name: `#${v.seq} ${t('label.' + v.label)}`})},
    el('span.number.seq', {}, '#' + v.seq),
    el('span.when', {}, dayAndClock(v.time)),
    badge(v.label),
    scale(v),
    el('span.number', {}, v.label === 'no_decision' ? '–' : percent(v.probability))));
}

const fact = (name, value) => [el('dt', {}, name), el('dd', {}, value)];

// facts are what a verdict says beside its picture.
export const facts = v => [
  ...fact(t('detail.time'), dayAndClock(v.time)),
  ...(v.reason ? fact(t('detail.reason'), v.reason) : []),
  ...fact(t('score'), v.label === 'no_decision' ? '–' : percent(v.probability)),
  ...fact(t('detail.threshold'), percent(v.threshold, 0)),
  ...fact(t('detail.frames'), count((v.votes || []).length)),
  ...fact(t('detail.model'), `${v.model_serial} (${v.model_hash})`),
  ...(v.image ? fact(t('detail.image'), v.image) : []),
  ...fact(t('detail.ms'), `${fixed(v.ms.locate, 1)} + ${fixed(v.ms.preprocess, 1)} + ${fixed(v.ms.forward, 1)} ms`),
];

export function detail(v) {
  const dialog = $('detail');
  const votes = (v.votes || []).map(vote => {
    const score = 1 / (1 + Math.exp(-vote.logit));
    const bar = el('i');
    bar.style.width = 100 * score + '%';
    return el('li', {}, el('span.number', {}, count(vote.frame)), el('div.meter.' + (score >= v.threshold ? 'crack' : 'normal'), {}, bar), el('span.number', {}, percent(score)));
  });
  dialog.replaceChildren(
    el('div.spread', {}, el('h2', {id: 'detail-title'}, `#${v.seq} `, badge(v.label)),
      el('button.quiet', {click: () => dialog.close(), 'aria-label': t('close')}, '✕')),
    el('div.detail', {}, picture(v, t('crop.of', {seq: v.seq})), el('dl.facts', {}, ...facts(v))),
    ...(votes.length ? [el('h3', {}, t('detail.votes')), el('ol.votes', {}, ...votes)] : []));
  dialog.showModal();
}

// A click beside the dialog closes it.
$('detail').addEventListener('click', event => { if (event.target === $('detail')) $('detail').close(); });

export const partName = part => hasMessage('part.' + part) ? t('part.' + part) : part;
