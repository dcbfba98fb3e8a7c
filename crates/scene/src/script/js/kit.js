// Built-in effects on top of a scene, unless its manifest disables them: they show that the twin's visitors are people,
// there, now. Part of the module "moongate", after layers.js.

const WARM = 3, GLOW = 3, LIT = 1; // seconds: an arrival, a meeting, a touch that has arrived
const MOST = 6; // maximum of each at once
const APART = 1; // seconds: events within this time at the same place belong to the same crowd
const UNIT = Math.min(canvas.width, canvas.height) / 1080;
const MARGIN = 46 * UNIT, DISC = 34 * UNIT, PAD = 12 * UNIT;
// At the top, above feet and hands.
const CORNER = { x: canvas.width - MARGIN - DISC, y: MARGIN + DISC };
const GOLDEN = "#ffcf6b";
const TAIL = 16; // beads of a travelling touch
let left = CORNER.x - DISC; // left edge of the sky's panel
const arrivals = [], meetings = [], flights = [];
let lit = -Infinity; // time of the twin's last touch here

const put = (list, thing) => { if (list.push(thing) > MOST) list.shift(); };
const fresh = (list, { x, y }) => list.every((a) => now - a.since > APART || Math.hypot(a.x - x, a.y - y) > 260 * UNIT);
const old = (list, life) => { while (list.length && now - list[0].since > life(list[0])) list.shift(); };
// Draws light: it tints bright areas and shines on dark ones.
const shine = ({ x, y }, r, fill, alpha) => {
  draw.circle(x, y, r, { fill, soft: 2 * r, alpha: 0.4 * alpha });
  draw.circle(x, y, r, { fill, soft: 2 * r, alpha: 0.6 * alpha, blend: "screen" });
};
const panOf = (x) => Math.min(1, Math.max(-1, (2 * x) / canvas.width - 1));

// Sky colours by the sun's altitude in degrees: at the zenith, and at the horizon.
const SKIES = [[-18, "#0a1030", "#1c2c5c"], [-6, "#28306c", "#a0607c"], [2, "#5478b0", "#f6b070"], [12, "#5a96d2", "#d8e6f0"]];
const skyOf = (altitude) => {
  const degrees = Math.min(12, Math.max(-18, (altitude * 180) / Math.PI));
  const i = Math.max(1, SKIES.findIndex(([at]) => at >= degrees));
  const [[from, high, low], [to, high2, low2]] = [SKIES[i - 1], SKIES[i]];
  const t = (degrees - from) / (to - from);
  return [native.mix(high, high2, t), native.mix(low, low2, t)];
};

/** Records the events of this frame. */
function kitSees(calls) {
  for (const [name, [what]] of calls) {
    if (name === "appearThere" && native.kit.arrival && fresh(arrivals, what)) {
      put(arrivals, { x: what.x, y: (what.head.y + what.foot.y) / 2, since: now });
      native.play("moongate:step", { pan: panOf(what.x), volume: 0.4 });
    } else if (name === "meet" && native.kit.meeting && fresh(meetings, what)) {
      put(meetings, { x: what.x, y: what.y, since: now });
      native.play("moongate:bell", { pan: panOf(what.x), volume: 0.5 });
    } else if (name === "down" && native.kit.touch && there.linked) {
      put(flights, { x: what.x, y: what.y, since: now, takes: Math.max(0.016, there.delay) });
    } else if (name === "downThere" && native.kit.touch) {
      lit = now;
    }
  }
}

function kitSky() {
  const seen = there.linked ? 1 : 0.45;
  const size = 40 * UNIT, { x, y } = CORNER;
  const language = there.city.language, text = { size, fill: "white", align: "right", alpha: seen, language };
  const wide = size * (0.62 * Math.max(8, [...there.city.name].length + 1) + 0.2);
  left = x - DISC - wide - PAD;
  draw.rect(...panel(), { fill: "#0b0e18", alpha: 0.66, radius: DISC + PAD });
  draw.text(there.city.name, x - DISC - 20 * UNIT, y - 3 * UNIT, text);
  draw.text(there.clock.text, x - DISC - 20 * UNIT, y + size * 0.86, { ...text, size: 0.8 * size, alpha: 0.8 * seen });
  const [high, low] = skyOf(there.sun.altitude);
  draw.circle(x, y, DISC, { fill: native.gradient.linear(x, y - DISC, x, y + DISC, [high, low]), alpha: seen });
  // The sun by day or a moon by night, at the sun's altitude.
  const up = Math.min(1, Math.max(-1, there.sun.altitude / 1.1));
  if (there.sun.altitude > -0.1) draw.circle(x + 0.4 * DISC * Math.cos(there.sun.azimuth), y - 0.55 * DISC * up, 0.24 * DISC, { fill: "#fff2c4", soft: 0.2 * DISC, alpha: seen });
  else draw.circle(x, y - 0.15 * DISC, 0.2 * DISC, { fill: "#dfe4f2", alpha: seen });
  if (!there.linked) draw.circle(x, y, DISC, { fill: "transparent", stroke: "white", width: 2 * UNIT, alpha: 0.5 });
}

/** Draws the effects over the scene; a full display list has no room for them. */
function kitDraws() {
  const { kit } = native;
  if (!kit.arrival && !kit.meeting && !kit.sky && !kit.touch) return;
  old(arrivals, () => WARM);
  old(meetings, () => GLOW);
  old(flights, (flight) => flight.takes + LIT);
  native.home();
  try {
    // Simultaneous arrivals or meetings share the brightness.
    for (const a of arrivals) {
      const t = (now - a.since) / WARM;
      shine(a, (170 + 90 * t) * UNIT, there.city.colour, (0.6 * swell(t)) / Math.sqrt(arrivals.length));
    }
    for (const m of meetings) {
      const t = (now - m.since) / GLOW;
      shine(m, (90 + 190 * ease.out(t)) * UNIT, GOLDEN, (0.9 * swell(t)) / Math.sqrt(meetings.length));
    }
    if (kit.sky) kitSky();
    for (const f of flights) {
      const age = now - f.since;
      if (age > f.takes) arrives(age - f.takes, here.city.colour);
      for (let i = TAIL; i >= 0; i--) {
        const t = age / f.takes - 0.016 * i;
        if (t > 0 && t < 1) bead(f, t, 1 - i / (TAIL + 1));
      }
    }
    if (now - lit < LIT) arrives(now - lit, there.city.colour);
  } catch {}
}

// Brightness over a light's life, 0 to 1: a quick rise, a slow decay.
const swell = (t) => Math.min(1, 8 * t) * (1 - t) ** 2;

// Draws a bead of a travelling touch: along an arc, and smaller as it moves away.
const bead = (from, t, strength) => {
  const s = ease.inOut(t), rest = 1 - s;
  const rise = Math.min(from.y, CORNER.y) - 0.12 * Math.hypot(CORNER.x - from.x, CORNER.y - from.y);
  const x = from.x + (CORNER.x - from.x) * s;
  const y = rest * rest * from.y + 2 * rest * s * Math.max(rise, MARGIN) + s * s * CORNER.y;
  const r = (6 + 12 * rest) * strength * UNIT;
  draw.circle(x, y, r, { fill: here.city.colour, soft: r, alpha: 0.2 + 0.6 * strength ** 2 });
  if (strength === 1) draw.circle(x, y, 0.5 * r, { fill: "white", soft: 0.5 * r });
};

// Left, top, width and height of the panel behind the sky and the clock.
const panel = () => [left - PAD, CORNER.y - DISC - PAD, CORNER.x + DISC + 2 * PAD - left, 2 * (DISC + PAD)];

// Draws the arrival of a touch: the panel's rim lights up, with nothing over its text. Without a panel, a light fades.
const arrives = (age, stroke) => !native.kit.sky ? shine(CORNER, 2 * DISC, stroke, 1 - Math.min(1, age / LIT)) : draw.rect(...panel(), { fill: "transparent", stroke, width: 5 * UNIT, radius: DISC + PAD, alpha: 1 - Math.min(1, age / LIT) });
