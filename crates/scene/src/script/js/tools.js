// Easing, timers, translated words and parameters. Part of the module "moongate", after together.js.

const c1 = 1.70158; // overshoot of `back`: a tenth (Penner)
const eased = (name, curve) => (t) => {
  if (typeof t !== "number" || Number.isNaN(t)) throw new Error(`ease.${name}: ${typeof t === "number" ? t : sort(t)} is no number; use ease.${name}(t), t from 0 to 1`);
  return curve(Math.min(1, Math.max(0, t)));
};

/** Easing curves from 0 to 1. */
export const ease = Object.freeze({
  in: eased("in", (t) => t * t * t),
  out: eased("out", (t) => 1 - (1 - t) ** 3),
  inOut: eased("inOut", (t) => (t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2)),
  back: eased("back", (t) => 1 + (c1 + 1) * (t - 1) ** 3 + c1 * (t - 1) ** 2),
  elastic: eased("elastic", (t) => (t === 0 || t === 1 ? t : 2 ** (-10 * t) * Math.sin((10 * t - 0.75) * 2 * Math.PI / 3) + 1)),
  bounce: eased("bounce", (t) => {
    if (t < 1 / 2.75) return 7.5625 * t * t;
    const [middle, below] = t < 2 / 2.75 ? [1.5, 0.75] : t < 2.5 / 2.75 ? [2.25, 0.9375] : [2.625, 0.984375];
    return 7.5625 * (t - middle / 2.75) ** 2 + below;
  }),
});

export const gradient = Object.freeze(native.gradient);
export const mix = native.mix;

const TIMERS_MAX = 1000;
let timers = [];
let passed = 0; // seconds since the scene started: the shared clock may step

const timer = (name, span, then, again) => {
  const usage = `${name}("2s", () => { … })`;
  const wait = seconds(span, name);
  if (typeof then !== "function") throw new Error(`${name}: what is to happen is ${sort(then)}, not a function; use ${usage}`);
  if (again && wait < 0.001) throw new Error(`${name}: this is too often; use ${usage}`);
  if (timers.length >= TIMERS_MAX) throw new Error(`${name}: more than ${TIMERS_MAX} timers; use fewer, or end some: const end = ${usage}; end();`);
  const made = { at: passed + wait, wait, then, again };
  timers.push(made);
  return () => { made.at = Infinity; };
};

/** Calls a function once, after a time. */
export const after = (span, then) => timer("after", span, then, false);
/** Calls a function repeatedly. */
export const every = (span, then) => timer("every", span, then, true);

/** Runs due timers: after the events, before `frame`. */
export function __due() {
  if (timers.length === 0) return;
  timers = timers.filter((t) => t.at !== Infinity);
  for (const t of timers.filter((t) => t.at <= passed).sort((a, b) => a.at - b.at)) {
    if (t.at === Infinity) continue; // cancelled by another timer
    // A timer that was late because the screen stalled fires once, not several times.
    const next = t.at + t.wait > passed ? t.at + t.wait : passed + t.wait;
    // A timer is due between two frames; its `now` is that instant.
    const due = now - (passed - t.at);
    t.at = t.again ? next : Infinity;
    t.then({ now: due });
  }
}

const tongue = (language) => language.split("-")[0];

/** Text in several languages; converts to the language of this city. */
class Words {
  #texts;

  constructor(texts) {
    this.#texts = texts;
    Object.freeze(this);
  }

  in(language) {
    const texts = this.#texts;
    return texts[language] ?? texts[tongue(language)] ?? texts.en ?? Object.values(texts)[0];
  }

  get here() { return this.in(native.here.city.language); }
  get there() { return this.in(native.there.city.language); }

  toString() { return this.here; }
  toJSON() { return this.here; }
}

export const words = (texts) => {
  const usage = 'words({ en: "moon", zh: "月" })';
  if (texts === null || typeof texts !== "object" || Array.isArray(texts)) throw new Error(`words: ${sort(texts)} is no object; use ${usage}`);
  const entries = Object.entries(texts);
  if (entries.length === 0) throw new Error(`words: there are none; use ${usage}`);
  for (const [language, text] of entries) {
    if (typeof text !== "string") throw new Error(`words: \`${language}\` is ${sort(text)}, not a text; use ${usage}`);
  }
  return new Words(Object.freeze({ ...texts }));
};

/** Parameters that the manifest declares; sliders in rehearsal. */
export const dials = {};
const dial = (name, value) => Object.defineProperty(dials, name, { value, enumerable: true, configurable: true });
const ranges = new Map();
for (const [name, value, from, to] of native.dials) {
  ranges.set(name, [from, to]);
  dial(name, value);
}
Object.preventExtensions(dials);

// Parameters set for an earlier revision may not exist any more, or may be out of range.
const turn = (values) => {
  for (const [name, value] of values) {
    const [from, to] = ranges.get(name) ?? [1, 0];
    if (value >= from && value <= to) dial(name, value);
  }
};
