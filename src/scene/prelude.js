// The module "moongate" as a script imports it. `native` is what the engine gives; it is gone afterwards.
const native = globalThis.__moongate;

Object.freeze(native.here.city);
Object.freeze(native.there.city);

/** This city. */
export const here = { ...native.here, side: native.side, touches: [], sun: null, clock: null, lead: true };
/** The other city. */
export const there = { ...native.there, side: 1 - native.side, touches: [], sun: null, clock: null, linked: false, delay: 0 };
/** Size of the canvas, in its units. */
export const canvas = Object.freeze({ width: native.width, height: native.height });
export const draw = Object.freeze(native.draw);
export const random = native.random;
export const noise = native.noise;
export const signal = native.signal;
export const sound = Object.freeze({ play: native.play });

Math.random = () => native.random();
globalThis.console = Object.freeze({ log: native.log, warn: native.log, error: native.log, info: native.log });

const pad = (n) => String(n).padStart(2, "0");
let now = 0;

// A touch as a script sees it: age in seconds, and whose it is.
const touch = (t, site) => ({ ...t, age: Math.max(0, now - t.began), city: site.city, here: site === here });

const look = (site, seen) => {
  site.touches = seen.touches.map((t) => touch(t, site));
  site.sun = { ...seen.sun, up: seen.sun.altitude > 0 };
  site.clock = { ...seen.clock, text: `${pad(seen.clock.hour)}:${pad(seen.clock.minute)}:${pad(seen.clock.second)}` };
};

const HANDLERS = {
  down: ["down", here], move: ["move", here], up: ["up", here],
  downThere: ["downThere", there], moveThere: ["moveThere", there], upThere: ["upThere", there],
};

// Called by the engine, once a frame: takes the news in, and says which handlers to call with what.
export function __sees(sees) {
  now = sees.now;
  look(here, sees.here);
  look(there, sees.there);
  here.lead = sees.lead;
  there.linked = sees.linked;
  there.delay = sees.delay;
  const calls = [];
  for (const e of sees.events) {
    const known = HANDLERS[e.is];
    if (known) {
      const { is, ...t } = e;
      calls.push([known[0], [touch(t, known[1])]]);
    } else if (e.is === "heard") calls.push(["heard", [e.name, JSON.parse(e.data)]]);
    else calls.push([e.is, []]);
  }
  calls.push(["frame", [{ now, dt: sees.dt, width: canvas.width, height: canvas.height }]]);
  return calls;
}
