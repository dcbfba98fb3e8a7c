// Marks, and the shared state of both cities. Part of the module "moongate", after prelude.js.

const { marks: MARKS_MAX, markBytes: SAID_MAX, markWeight: WEIGHT_MAX } = native.limits;
const FADES = 2; // seconds
const CELL = Math.max(canvas.width, canvas.height) / 24;
/** Members of a mark that the engine sets; a script cannot. */
const OF_ENGINE = ["age", "city", "here", "kept", "shared", "seed", "faded", "began"];

let lasting = false; // marks outlive the show
let sharedBelow = 0; // the twin has own marks below this sequence number
let partedAt = null; // time since which the twin is gone, in seconds

const parse = (text) => {
  try { return JSON.parse(text); } catch { return undefined; } // untrusted: sent by another machine
};

class Mark {
  #began;
  #own;
  #list;
  #placed;

  constructor(list, here, at, seed, said) {
    if (said && typeof said === "object") for (const key of Object.keys(said)) if (!(key in this)) this[key] = said[key];
    this.x = at ? at[0] : 0;
    this.y = at ? at[1] : 0;
    this.#placed = at !== null;
    this.seed = (seed % 2147483648) / 2147483.648;
    this.here = here;
    this.city = here ? native.here.city : native.there.city;
    this.#list = list;
  }

  /** Sets the sort key, the time of creation, and the sequence number while the mark can still be shared. */
  static settle(mark, place, began, own) {
    Object.defineProperty(mark, "__place", { value: place, configurable: true });
    mark.#began = began;
    mark.#own = own;
    return mark;
  }

  static began(mark) { return mark.#began; }
  static placed(mark) { return mark.#placed; }

  get age() { return Math.max(0, now - this.#began); }
  get kept() { return lasting && this.#own !== undefined; }
  get shared() { return this.#own === null || (this.#own !== undefined && this.#own < sharedBelow); }
  get faded() { return this.here ? 0 : Marks.faded(this.#list); }
}

/** Parses "40s", "5m", "2h", "7d" or a number as seconds. */
const seconds = (span, usage) => {
  if (typeof span === "number" && span >= 0) return span;
  const [, count, unit] = /^\s*(\d+(?:\.\d+)?)\s*(s|m|h|d)\s*$/.exec(span) ?? [];
  if (count === undefined) throw new Error(`${usage}: ${JSON.stringify(span)} is no time; use "40s", "5m", "2h" or "7d"`);
  return count * { s: 1, m: 60, h: 3600, d: 86400 }[unit];
};

class Marks {
  #name;
  #lost;
  #all = []; // sorted
  #cells = null; // by position
  #weight = 0;
  #shown = null; // cached result of `all`
  #last = new Map(); // cached results of `last` in this frame

  constructor(name, lost) {
    this.#name = name;
    this.#lost = lost;
  }

  static faded(list) {
    if (partedAt === null || list.#lost === "alone" || list.#lost === "freeze") return 0;
    return list.#lost === "hide" ? 1 : Math.min(1, (now - partedAt) / FADES);
  }

  static size(list) { return list.#all.length; }
  static weight(list) { return list.#weight; }

  static clear(list) { [list.#all, list.#cells, list.#weight, list.#shown] = [[], null, 0, null]; }

  static insert(list, mark, weight) {
    const all = list.#all;
    let [low, high] = [0, all.length];
    if (high && all[high - 1].__place < mark.__place) low = high; // usually it is the last
    while (low < high) {
      const middle = (low + high) >> 1;
      if (all[middle].__place < mark.__place) low = middle + 1; else high = middle;
    }
    if (all[low]?.__place === mark.__place) return;
    all.splice(low, 0, mark);
    list.#weight += weight;
    list.#shown = null;
    if (list.#cells) Marks.place(list, mark);
  }

  static remove(list, mark, weight) {
    const index = list.#all.lastIndexOf(mark);
    if (index < 0) return;
    list.#all.splice(index, 1);
    list.#weight -= weight;
    [list.#cells, list.#shown] = [null, null];
  }

  static forgetOldest(list) {
    const gone = list.#all.splice(0, Math.ceil(list.#all.length / 20));
    list.#weight -= (list.#weight / (list.#all.length + gone.length)) * gone.length;
    [list.#cells, list.#shown] = [null, null];
  }

  static place(list, mark) {
    if (!Mark.placed(mark)) return;
    const key = Math.floor(mark.x / CELL) * 4096 + Math.floor(mark.y / CELL);
    const cell = list.#cells.get(key);
    if (cell) cell.push(mark); else list.#cells.set(key, [mark]);
  }

  static turn(list) {
    list.#last.clear();
    list.#shown = partedAt === null && !wasParted ? list.#shown : null;
  }

  get length() { return this.all().length; }

  add(place, more) {
    const usage = `ours.${this.#name}.add`;
    const wrong = (what) => { throw new Error(`${usage}: ${what}; use ${usage}({ x, y }) or ${usage}(touch, { any: "thing" })`); };
    if (place === null || typeof place !== "object" || Array.isArray(place)) wrong(`a mark is ${sort(place)}, not an object`);
    if (more !== undefined && (more === null || typeof more !== "object")) wrong("what is said of it is no object");
    // Only the position of a person or a touch is stored: marks last, and visitors must not be recorded.
    const bare = place instanceof Body || touches.has(place) ? { x: place.x, y: place.y } : place;
    const said = { ...bare, ...more };
    const { x, y } = said;
    for (const [axis, value] of [["x", x], ["y", y]]) {
      if (value !== undefined && !Number.isFinite(value)) wrong(`${axis} is ${typeof value === "number" ? value : sort(value)}, not a number`);
    }
    if ((x === undefined) !== (y === undefined)) wrong(`${x === undefined ? "x" : "y"} is missing`);
    if (Math.abs(x ?? 0) > 99999 || Math.abs(y ?? 0) > 99999) wrong("it is far outside of the canvas");
    for (const key of ["x", "y", ...OF_ENGINE]) delete said[key];
    const text = JSON.stringify(said);
    if (text.length > SAID_MAX || native.bytes(text) > SAID_MAX) wrong(`${text.length} letters are more than ${SAID_MAX}: say less of it`);
    if (partedAt !== null && this.#lost === "freeze") return null;
    const seed = native.seed();
    native.mark(this.#name, x, y, seed, text);
    const mark = Mark.settle(new Mark(this, true, x === undefined ? null : [x, y], seed, parse(text)), `~${String(added++).padStart(9, "0")}`, now);
    const weight = 400 + 8 * text.length; // estimate until the engine reports it
    pending.set(seed, { mark, list: this, since: now, weight });
    Marks.insert(this, mark, weight);
    return mark;
  }

  all() {
    if (this.#shown === null) {
      const all = this.#all;
      this.#shown = Object.freeze(Marks.faded(this) < 1 ? all.slice() : all.filter((mark) => mark.here));
    }
    return this.#shown;
  }

  last(span) {
    const usage = `ours.${this.#name}.last`;
    const since = now - seconds(span, usage);
    let found = this.#last.get(since);
    if (!found) this.#last.set(since, (found = Object.freeze(this.all().filter((mark) => Mark.began(mark) > since))));
    return found;
  }

  near(place, radius, ...rest) {
    const usage = `ours.${this.#name}.near`;
    let [x, y, r] = [place, radius, rest[0]];
    if (typeof place === "object" && place !== null) [x, y, r] = [place.x, place.y, radius];
    if (![x, y, r].every(Number.isFinite)) throw new Error(`${usage}: x, y and the distance must be numbers; use ${usage}(touch, 100) or ${usage}(x, y, 100)`);
    if (Math.abs(x) > 1e6 || Math.abs(y) > 1e6 || r < 0) return [];
    if (!this.#cells) {
      this.#cells = new Map();
      for (const mark of this.#all) Marks.place(this, mark);
    }
    const gone = Marks.faded(this) >= 1, found = [];
    const take = (mark) => {
      const far = Math.hypot(mark.x - x, mark.y - y);
      if (far <= r && !(gone && !mark.here)) found.push([far, mark]);
    };
    if (r > 8 * CELL) this.#all.forEach((mark) => Mark.placed(mark) && take(mark));
    else for (let i = Math.floor((x - r) / CELL); i <= (x + r) / CELL; i++) {
      for (let j = Math.floor((y - r) / CELL); j <= (y + r) / CELL; j++) this.#cells.get(i * 4096 + j)?.forEach(take);
    }
    return found.sort(([a], [b]) => a - b).map(([, mark]) => mark);
  }
}

let added = 0;
const pending = new Map(); // own marks without a sequence number, by seed

/** Mark collections, as `[ours.NAME]` in installation.toml declares them. */
export const ours = Object.freeze(Object.fromEntries(native.ours.map(([name, lost]) => [name, Object.freeze(new Marks(name, lost))])));
const lists = Object.values(ours);

// Adds marks new since the previous frame. Own marks are known already, except for their sort keys.
function seeMarks({ anew, news, shared, lasting: lasts }) {
  [lasting, sharedBelow] = [lasts, shared];
  if (anew) {
    lists.forEach(Marks.clear);
    pending.clear();
  }
  for (const m of news) {
    const list = Object.hasOwn(ours, m.name) ? ours[m.name] : null;
    if (!list) continue;
    const known = pending.get(m.seed);
    let mark = null;
    if (m.here && known?.list === list) {
      pending.delete(m.seed);
      Marks.remove(list, known.mark, known.weight);
      mark = known.mark;
    }
    mark ??= new Mark(list, m.here, m.at, m.seed, parse(m.said));
    Marks.insert(list, Mark.settle(mark, m.place, m.began, m.own), m.weight);
  }
  // A mark that the engine did not accept is removed.
  for (const [seed, { mark, list, since, weight }] of pending) {
    if (now - since < 5) break;
    pending.delete(seed);
    Marks.remove(list, mark, weight);
  }
  const sum = (of) => lists.reduce((all, list) => all + of(list), 0);
  while (sum(Marks.size) > MARKS_MAX || sum(Marks.weight) > WEIGHT_MAX) {
    Marks.forgetOldest(lists.reduce((a, b) => (Marks.size(b) > Marks.size(a) ? b : a)));
  }
}

// The previous frame failed and the engine discarded its actions: discard them here too.
function undo() {
  for (const [seed, { mark, list, since, weight }] of pending) {
    if (since !== now) continue;
    pending.delete(seed);
    Marks.remove(list, mark, weight);
  }
  if (saidAt === now) said = null;
}

let said = "", saidAt = -1; // last shared state sent, and its time; null if it was discarded
let heard = null; // last shared state of the twin
const NOTHING = Object.freeze({});

function seeTogether(sees) {
  wasParted = partedAt !== null;
  if (sees.linked) partedAt = null;
  else if (partedAt === null) partedAt = wasLinked ? now : -Infinity;
  wasLinked ||= sees.linked;
  seeMarks(sees.marks);
  lists.forEach(Marks.turn);
  if (sees.share !== heard && (sees.share !== null || native.lostShare !== "freeze")) {
    heard = sees.share;
    const share = heard === null ? null : parse(heard);
    there.share = share && typeof share === "object" ? Object.freeze(share) : NOTHING;
  }
}
let wasLinked = false;
let wasParted = false; // in the previous frame

// Called by the engine after the handlers: sends the shared state of this city if it changed.
export function __told() {
  kitDraws();
  const nothing = here.share === undefined || here.share === null || Object.keys(here.share).length === 0;
  const text = nothing ? "" : JSON.stringify(here.share);
  if (text !== said) {
    native.share(text);
    [said, saidAt] = [text, now];
  }
}
