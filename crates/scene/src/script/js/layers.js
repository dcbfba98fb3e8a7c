// Retained layers and particles. Part of the module "moongate", after tools.js.

const KEPT_MAX = native.limits.layers, KEPT_AT_ONCE = 500; // items drawn onto one in a frame if there is room
const keptLayers = new Map(); // by name: slot and content

/** Draws each item once, when it is new, and all of them again when one is removed. */
function kept(name, things, paint, style) {
  const usage = 'draw.kept("cloth", ours.rows.all(), (row) => { … })';
  if (typeof name !== "string") throw new Error(`draw.kept: the name is ${sort(name)}, not a text; use ${usage}`);
  if (!Array.isArray(things)) throw new Error(`draw.kept: the things are ${sort(things)}, not an array; use ${usage}`);
  if (typeof paint !== "function") throw new Error(`draw.kept: what draws a thing is ${sort(paint)}, not a function; use ${usage}`);
  let layer = keptLayers.get(name);
  if (!layer) {
    if (keptLayers.size >= KEPT_MAX) throw new Error(`draw.kept: more than ${KEPT_MAX} layers; draw more things onto one`);
    keptLayers.set(name, (layer = { slot: keptLayers.size, drawn: new Set(), full: false, whole: true }));
  }
  const all = new Set(things);
  // A layer that is being redrawn is completed first, or it would never be shown.
  const anew = layer.whole && [...layer.drawn].some((thing) => !all.has(thing));
  const known = anew ? new Set() : layer.drawn;
  const news = [...all].filter((thing) => !known.has(thing));
  if (anew || news.length) {
    let count = 0;
    const fits = native.keep(layer.slot, anew, () => {
      for (const thing of news) {
        if (count >= KEPT_AT_ONCE || !native.keepsMore(layer.slot)) return false;
        paint(thing);
        count += 1;
      }
      return true;
    });
    layer.whole = count === news.length;
    for (const thing of news.slice(0, count)) known.add(thing);
    layer.drawn = known;
    if (!fits && !layer.full) native.log(`draw.kept: the layer "${name}" is full, and what is new on it is not drawn; give it fewer things, or draw each with less`);
    layer.full = !fits || (layer.full && !anew);
  }
  native.kept(layer.slot, style);
}

/** Particles, which the engine moves. */
class Particles {
  #id;

  constructor(id) {
    this.#id = id;
    Object.freeze(this);
  }

  static draw(particles) {
    if (!(particles instanceof Particles)) throw new Error(`draw.particles: ${sort(particles)} has no particles; use const snow = particles({ life: 4 }); draw.particles(snow);`);
    native.swarmSeen(particles.#id);
  }

  get count() { return native.swarmCount(this.#id); }
  emit(place, more) { native.swarmEmit(this.#id, place, more); }
  clear() { native.swarmClear(this.#id); }
}

export const particles = (plan) => new Particles(native.swarm(plan));

function seen(particles) {
  Particles.draw(particles);
}
