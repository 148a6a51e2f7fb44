// Verdicts: the large one, cards with crops, rows, heat maps, and the dialog with the details.

import {$, t, el, get, draw, icon, percent, fixed, count, clock, dayAndClock, hasMessage} from './core.js';

// badge is a label with its icon, so that nobody has to distinguish colours.
export const badge = label => el('span.badge.' + label, {}, icon(label), t('label.' + label));

// scale shows a probability and the threshold.
export function scale(v) {
  const bar = el('i'), mark = el('b');
  bar.style.width = 100 * v.probability + '%';
  mark.style.left = 100 * v.threshold + '%';
  return el('div.meter.' + v.label, {
    role: 'meter', 'aria-label': t('score'), 'aria-valuemin': 0, 'aria-valuemax': 100,
    'aria-valuenow': fixed(100 * v.probability, 1),
  }, bar, mark);
}

// showLarge shows a verdict in letters that can be read from a distance.
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
    el('p.spread', {}, el('span', {}, t('score')), el('strong', {}, probability(v))),
    scale(v),
    el('p.muted', {}, t('threshold', {percent: percent(v.threshold, 0)})));
}

// heatMap draws the crack scores of a verdict's tiles: a side wall as a ring with 0 degrees at the
// top, other views as the grid. A higher score is more opaque. The worst tile, whose crop is stored,
// has a border. It returns null for a verdict without tiles.
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
  const viewBox = ring ? '-1.05 -1.05 2.1 2.1' : [left, top, right - left, bottom - top].join(' ');
  return draw('svg.heat', {viewBox, role: 'img', 'aria-label': t('heat')}, ...shapes);
}

// unlikeMap draws where a tire is unlike the sound ones of its type, over its crop: the more a cell
// differs, the more opaque it is. It returns null if the tire is like them, or if the crop shows
// another tile: that of a crack is kept.
export function unlikeMap(v) {
  const o = v.second_opinion;
  if (!o?.unlike || !o.heat) return null;
  if (v.tiling && v.label !== 'normal' && v.tiling.worst !== (o.tile || 0)) return null;
  const {w, h, cells} = o.heat;
  const shapes = [...atob(cells)].map((c, i) => [c.charCodeAt(0), i]).filter(([heat]) => heat >= 64)
    .map(([heat, i]) => draw('rect', {x: i % w, y: Math.floor(i / w), width: 1, height: 1,
      'fill-opacity': (0.65 * heat / 255).toFixed(3)}));
  return draw('svg.unlike', {viewBox: [0, 0, w, h].join(' '), preserveAspectRatio: 'none', role: 'img',
    'aria-label': t('second.heat')}, ...shapes);
}

// sector is the SVG path of a sector of a ring. Angles are in degrees from the top, clockwise; the
// outer radius is 1.
function sector(from, to, inner) {
  const at = (angle, r) => {
    const a = angle * Math.PI / 180;
    return (r * Math.sin(a)).toFixed(3) + ' ' + (-r * Math.cos(a)).toFixed(3);
  };
  const large = to - from > 180 ? 1 : 0;
  const outside = `M${at(from, 1)}A1 1 0 ${large} 1 ${at(to, 1)}`;
  return outside + `L${at(to, inner)}A${inner} ${inner} 0 ${large} 0 ${at(from, inner)}Z`;
}

// picture is a crop with its heat map in a corner, or an icon if no crop is stored.
export function picture(v, alt) {
  const frame = el('span.picture');
  const image = el('img', {alt, loading: 'lazy', src: '/api/crop/' + v.seq});
  image.addEventListener('error', () =>
    frame.replaceChildren(el('span.missing', {title: t('crop.none')}, icon(v.label))));
  frame.append(image);
  const heat = heatMap(v);
  if (heat) frame.append(heat);
  const other = unlikeMap(v);
  if (other) frame.append(other);
  return frame;
}

// pictures is the crop, which is what the network saw, after the picture of the camera where one is
// stored.
export function pictures(v) {
  const seen = el('figure', {class: 'seen'}, picture(v, t('crop.of', {seq: v.seq})));
  const both = el('div.pictures', {}, seen);
  const src = '/api/camera/' + v.seq;
  get(src).then(answer => {
    if (answer.status !== 200) return; // none is stored
    seen.append(el('figcaption', {}, t('crop.seen')));
    both.classList.add('both');
    both.prepend(el('figure', {class: 'camera'},
      el('span.picture', {}, el('img', {alt: t('camera.of', {seq: v.seq}), src})),
      el('figcaption', {}, t('camera.sent'))));
  }).catch(() => {}); // the crop is there
  return both;
}

// unsure tires were judged, but their score is between the two thresholds.
export const unsure = v => v.label === 'no_decision' && v.reason === 'unsure';

// probability is the score of a verdict as text; a tire that could not be judged has none.
const probability = v => v.label === 'no_decision' && !unsure(v) ? '–' : percent(v.probability);

// detailsOf are the attributes of a button that opens the dialog of a verdict.
const detailsOf = v => ({
  click: () => detail(v), 'aria-label': t('detail.of', {name: `#${v.seq} ${t('label.' + v.label)}`}),
});

// card is a verdict in the grid of the latest ones.
export function card(v) {
  return el('li', {'data-seq': v.seq}, el('button.crop.' + v.label, detailsOf(v),
    picture(v, ''),
    el('span.caption', {}, badge(v.label), el('span.number', {}, probability(v))),
    el('span.caption.muted', {}, el('span', {}, '#' + v.seq), el('span', {}, clock(v.time)))));
}

// row is a verdict in the history.
export function row(v) {
  return el('li', {'data-seq': v.seq}, el('button.row', detailsOf(v),
    el('span.number.seq', {}, '#' + v.seq),
    el('span.when', {}, dayAndClock(v.time)),
    badge(v.label),
    scale(v),
    el('span.number', {}, probability(v))));
}

const fact = (name, value) => [el('dt', {}, name), el('dd', {}, value)];

// facts are the fields of a verdict that its dialog and the review show beside its crop.
export const facts = v => [
  ...fact(t('detail.time'), dayAndClock(v.time)),
  ...(v.reason ? fact(t('detail.reason'), unsure(v) ? t('reason.unsure') : v.reason) : []),
  ...fact(t('score'), probability(v)),
  ...fact(t('detail.threshold'), (v.sound_below ? percent(v.sound_below, 0) + ' / ' : '') + percent(v.threshold, 0)),
  ...(v.second_opinion ? fact(t('second'), t(v.second_opinion.unlike ? 'second.unlike' : 'second.like',
    {score: fixed(v.second_opinion.score, 1), limit: fixed(v.second_opinion.limit, 1)})) : []),
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
    const label = score >= v.threshold ? 'crack' : v.sound_below && score >= v.sound_below ? 'no_decision' : 'normal';
    return el('li', {}, el('span.number', {}, count(vote.frame)), el('div.meter.' + label, {}, bar),
      el('span.number', {}, percent(score)));
  });
  dialog.replaceChildren(
    el('div.spread', {}, el('h2', {id: 'detail-title'}, `#${v.seq} `, badge(v.label)),
      el('button.quiet', {click: () => dialog.close(), 'aria-label': t('close')}, '✕')),
    el('div.detail', {}, pictures(v), el('dl.facts', {}, ...facts(v))),
    ...(votes.length ? [el('h3', {}, t('detail.votes')), el('ol.votes', {}, ...votes)] : []));
  dialog.showModal();
}

// A click outside the dialog closes it.
$('detail').addEventListener('click', event => { if (event.target === $('detail')) $('detail').close(); });

export const partName = part => hasMessage('part.' + part) ? t('part.' + part) : part;
