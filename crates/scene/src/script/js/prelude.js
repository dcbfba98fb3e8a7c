// The module "moongate" as a script imports it. `native` holds the engine's functions; scripts cannot reach it.
const native = globalThis.__moongate;

Object.freeze(native.here.city);
Object.freeze(native.there.city);

/** Size of the canvas, in its units. */
export const canvas = Object.freeze({ width: native.width, height: native.height, metre: native.metre });

// State of one city. The cities differ in texture too, for colour-blind visitors and for two cities of the same colour.
const site = (city, side, pattern, flow) => ({
  ...city, side, touches: [], bodies: [], stir: 0, flow, sun: null, clock: null, empty: 0,
  look: Object.freeze({ fill: city.city.colour, pattern }),
});

// The twin sends outlines and no motion field: inside a body, the motion is the body's velocity.
const flowHere = Object.freeze({ at: native.flowAt });
const flowThere = Object.freeze({
  at(x, y) {
    if (!Number.isFinite(x) || !Number.isFinite(y)) throw new Error("there.flow.at: x and y must be numbers; use there.flow.at(x, y)");
    let vx = 0, vy = 0, all = 0;
    for (const b of there.bodies) {
      const high = Math.max(Math.abs(b.foot.y - b.head.y), canvas.height / 20);
      const across = (x - (b.foot.x + b.head.x) / 2) / (0.4 * high);
      const down = (y - (b.foot.y + b.head.y) / 2) / (0.7 * high);
      const near = Math.max(0, 1 - across * across - down * down);
      vx += near * b.vx;
      vy += near * b.vy;
      all += near;
    }
    const over = Math.max(1, all);
    return { x: vx / over, y: vy / over };
  },
});

/** This city. */
export const here = { ...site(native.here, native.side, "plain", flowHere), lead: true, share: {} };
/** The other city. */
export const there = { ...site(native.there, 1 - native.side, "lines", flowThere), linked: false, delay: 0, share: Object.freeze({}) };
export const draw = Object.freeze({ ...native.draw, kept, particles: seen });
export const random = native.random;
export const noise = native.noise;
export const signal = native.signal;
export const sound = Object.freeze({ play: native.play });

Math.random = () => native.random();
globalThis.console = Object.freeze({ log: native.log, warn: native.log, error: native.log, info: native.log });

// Returns the kind of a value, for error messages.
const sort = (value) => {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
};

const IDLE = 20; // seconds without anybody

const pad = (n) => String(n).padStart(2, "0");
let now = 0;

// Creates a touch as scripts see it, with its age in seconds and its city.
const touches = new WeakSet();
const touch = (t, site) => {
  const made = { ...t, age: Math.max(0, now - t.began), city: site.city, here: site === here };
  touches.add(made);
  return made;
};

// Body as scripts see it. It stays the same object while the body is tracked, so that a script can attach data to it;
// its own members are new in each frame.
class Body {
  #packed = "";
  #outline = null;
  #stood = false;

  constructor(id, site) {
    this.id = id;
    this.city = site.city;
    this.here = site === here;
    // Unpacked on first use, since most scenes only draw it. An own property, so that copies have it too.
    Object.defineProperty(this, "outline", { enumerable: true, get: () => (this.#outline ??= native.points(this.#packed)) });
  }

  /** Packed outline, for the engine. */
  get __outline() {
    return this.#packed;
  }

  // Returns true once when it has stood for a second, and again after it has moved in between.
  static see(body, seen) {
    const [x, y, headX, headY, vx, vy] = seen.at;
    body.x = x / 10;
    body.y = y / 10;
    body.foot = { x: body.x, y: body.y };
    body.head = { x: headX / 10, y: headY / 10 };
    body.reach = seen.reach && { x: seen.reach[0] / 10, y: seen.reach[1] / 10 };
    body.vx = vx / 10;
    body.vy = vy / 10;
    body.still = seen.still / 10;
    body.people = seen.people;
    body.faded = (seen.faded ?? 0) / 100;
    body.age = Math.max(0, now - seen.began);
    body.#packed = seen.outline;
    body.#outline = null;
    const stood = body.#stood;
    body.#stood = body.still >= 1;
    return body.#stood && !stood;
  }
}

const followed = new Map([[here, new Map()], [there, new Map()]]); // bodies by their ids

// Compares the bodies with the previous frame: arrivals, bodies that now stand still, departures.
const crowd = (site, seen) => {
  const known = followed.get(site), all = new Map();
  const [came, stands] = [[], []];
  for (const b of seen) {
    const body = known.get(b.id) ?? new Body(b.id, site);
    if (!known.delete(b.id)) came.push(body);
    if (Body.see(body, b)) stands.push(body);
    all.set(b.id, body);
  }
  followed.set(site, all);
  site.bodies = [...all.values()];
  return { came, stands, left: [...known.values()] };
};

const look = (site, seen, dt) => {
  site.touches = seen.touches.map((t) => touch(t, site));
  site.empty = seen.touches.length + seen.bodies.length > 0 ? 0 : site.empty + dt;
  site.stir = seen.stir;
  site.sun = { ...seen.sun, up: seen.sun.altitude > 0 };
  site.clock = { ...seen.clock, text: `${pad(seen.clock.hour)}:${pad(seen.clock.minute)}:${pad(seen.clock.second)}` };
};

const HANDLERS = {
  down: ["down", here], move: ["move", here], up: ["up", here],
  downThere: ["downThere", there], moveThere: ["moveThere", there], upThere: ["upThere", there],
};

// Called by the engine once a frame: takes in the frame input and returns the handlers to call, with arguments.
export function __sees(sees, failed) {
  if (failed) undo();
  now = sees.now;
  const before = here.empty;
  look(here, sees.here, sees.dt);
  look(there, sees.there, sees.dt);
  here.lead = sees.lead;
  there.linked = sees.linked;
  there.delay = sees.delay;
  native.setFlow(sees.here.flow);
  native.drift(sees.dt, now, sees.here.bodies, sees.there.bodies);
  seeTogether(sees);
  const [mine, theirs] = [crowd(here, sees.here.bodies), crowd(there, sees.there.bodies)];
  const calls = [];
  const each = (name, bodies) => { for (const body of bodies) calls.push([name, [body]]); };
  each("leave", mine.left);
  each("leaveThere", theirs.left);
  for (const e of sees.events) {
    const known = HANDLERS[e.is];
    if (known) {
      const { is, ...t } = e;
      calls.push([known[0], [touch(t, known[1])]]);
    } else if (e.is === "heard") {
      const data = parse(e.data);
      if (data !== undefined) calls.push(["heard", [e.name, data]]);
    }
    else if (e.is === "meet") calls.push(["meet", [{ x: e.x, y: e.y }]]);
    else if (e.is === "merged") calls.push(["merged", [e.marks]]);
    else calls.push([e.is, []]);
  }
  each("appear", mine.came);
  each("appearThere", theirs.came);
  each("still", mine.stands);
  each("stillThere", theirs.stands);
  if (here.empty >= IDLE && before < IDLE) calls.push(["idle", []]);
  kitSees(calls);
  if (sees.dials) turn(sees.dials);
  passed += sees.dt;
  calls.push([__due, []]);
  calls.push(["frame", [{ now, dt: sees.dt, width: canvas.width, height: canvas.height }]]);
  return calls;
}
