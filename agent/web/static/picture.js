// The live image: one request after the other while a view shows it, and the drawing over it.

import {get, draw, el, t, percent} from './core.js';

const watchers = new Map(); // by view name
let visible = '';
let running = false;

// watch calls show(url, view) with each image while the view of that name is visible. Both are null
// if the camera sends no image.
export function watch(name, show) { watchers.set(name, show); }

export function setVisible(name) {
  visible = name;
  if (!running) run();
}

document.addEventListener('visibilitychange', () => { if (!running) run(); });

const wanted = () => watchers.has(visible) && document.visibilityState === 'visible';

async function run() {
  running = true;
  let after = 0, shown = '';
  while (wanted()) {
    try {
      const response = await get('/api/live?after=' + after);
      if (response.status === 204) { // no frames, or the agent was restarted and counts from one again
        after = 0;
        watchers.get(visible)?.(null, null);
        continue;
      }
      const view = JSON.parse(response.headers.get('Tirewatch-View'));
      const url = URL.createObjectURL(await response.blob());
      after = view.picture;
      await watchers.get(visible)?.(url, view);
      if (shown) URL.revokeObjectURL(shown);
      shown = url;
    } catch (error) {
      watchers.get(visible)?.(null, null);
      await new Promise(resolve => setTimeout(resolve, 2000));
    }
  }
  running = false;
}

// Stage is an image with a drawing over it, both in px of the frame.
export class Stage {
  constructor(figure, label) {
    this.figure = figure;
    this.image = el('img', {alt: label, decoding: 'async'});
    this.over = draw('svg.over', {role: 'img', 'aria-label': label});
    this.wait = el('p.wait', {}, t('live.wait'));
    this.chip = el('p.chip', {hidden: true});
    figure.append(this.image, this.over, this.chip, this.wait);
  }

  // show shows the image. After it, the drawing is made from the same view, so both fit together.
  async show(url, view) {
    this.wait.hidden = url !== null;
    if (url === null) {
      this.wait.textContent = t('live.none');
      return;
    }
    this.image.src = url;
    try {
      await this.image.decode();
    } catch {
      return; // a newer image has replaced it
    }
    if (this.width !== view.width || this.height !== view.height) {
      [this.width, this.height] = [view.width, view.height];
      this.over.setAttribute('viewBox', `0 0 ${view.width} ${view.height}`);
      this.figure.style.aspectRatio = `${view.width} / ${view.height}`;
      // keep the whole image on the screen
      this.figure.style.maxWidth = `calc((100vh - 150px) * ${view.width / view.height})`;
    }
    this.view = view;
    this.figure.dataset.picture = view.picture;
  }

  // outlines draws the tires and the crops that the network receives. A fixed region replaces the
  // crops.
  outlines(view, region) {
    const shapes = [];
    if (region) shapes.push(draw('rect.region', box(region)));
    for (const tire of view.tires) {
      if (tire.r > 0) shapes.push(draw('circle.outline', {cx: tire.x, cy: tire.y, r: tire.r}));
      if (!region) shapes.push(draw('rect.crop', box(tire.crop)));
    }
    return shapes;
  }

  // score shows the latest verdict. It belongs to the tire before until this one is judged.
  score(verdict) {
    this.chip.hidden = !verdict;
    if (!verdict) return;
    this.chip.className = 'chip ' + verdict.label;
    const none = verdict.label === 'no_decision' && !verdict.unsure;
    const probability = none ? '' : ' ' + percent(verdict.probability);
    this.chip.textContent = t('live.last', {verdict: `#${verdict.seq} ${t('label.' + verdict.label)}${probability}`});
  }
}

export const box = ([x0, y0, x1, y1]) => ({x: x0, y: y0, width: x1 - x0, height: y1 - y0});
