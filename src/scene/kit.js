// What the engine adds on top of a scene unless its manifest switches it off: that those are people, there, now. Part of
// the module "moongate", after layers.js.

const WARM = 3, GLOW = 2.5, LIT = 0.8; // seconds: an arrival, a meeting, a touch that has arrived
const MOST = 6; // of each at once
const APART = 1; // seconds: what happens sooner at the same place is the same crowd
const UNIT = Math.min(canvas.width, canvas.height) / 1080;
const MARGIN = 36 * UNIT, DISC = 26 * UNIT;
const CORNER = { x: canvas.width - MARGIN - DISC, y: canvas.height - MARGIN - DISC };
const GOLDEN = "#ffcf6b";
const arrivals = [], meetings = [], flights = [];
let lit = -Infinity; // when something of theirs was last felt here

const put = (list, thing) => { if (list.push(thing) > MOST) list.shift(); };
const fresh = (list, { x, y }) => list.every((a) => now - a.since > APART || Math.hypot(a.x - x, a.y - y) > 260 * UNIT);
const old = (list, life) => { while (list.length && now - list[0].since > life(list[0])) list.shift(); };
const panOf = (x) => Math.min(1, Math.max(-1, (2 * x) / canvas.width - 1));

// The sky by the sun's altitude in degrees: high, and at the horizon.
const SKIES = [[-18, "#0a1030", "#1c2c5c"], [-6, "#28306c", "#a0607c"], [2, "#5478b0", "#f6b070"], [12, "#5a96d2", "#d8e6f0"]];
const skyOf = (altitude) => {
  const degrees = Math.min(12, Math.max(-18, (altitude * 180) / Math.PI));
  const i = Math.max(1, SKIES.findIndex(([at]) => at >= degrees));
  const [[from, high, low], [to, high2, low2]] = [SKIES[i - 1], SKIES[i]];
  const t = (degrees - from) / (to - from);
  return [native.mix(high, high2, t), native.mix(low, low2, t)];
};

/** Takes in what happened in this frame. */
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
  const size = 30 * UNIT, { x, y } = CORNER;
  const language = there.city.language, text = { size, fill: "white", align: "right", alpha: seen, language };
  const wide = size * (0.62 * Math.max(8, [...there.city.name].length + 1) + 0.2);
  const left = x - DISC - wide - 14 * UNIT;
  draw.rect(left, y - DISC - 10 * UNIT, canvas.width - MARGIN + 10 * UNIT - left, 2 * DISC + 20 * UNIT, { fill: "#0b0e18", alpha: 0.5, radius: DISC + 10 * UNIT });
  draw.text(there.city.name, x - DISC - 16 * UNIT, y - 3 * UNIT, text);
  draw.text(there.clock.text, x - DISC - 16 * UNIT, y + size * 0.86, { ...text, size: 0.8 * size, alpha: 0.8 * seen });
  const [high, low] = skyOf(there.sun.altitude);
  draw.circle(x, y, DISC, { fill: native.gradient.linear(x, y - DISC, x, y + DISC, [high, low]), alpha: seen });
  // The sun by day, a moon by night, as high as it stands.
  const up = Math.min(1, Math.max(-1, there.sun.altitude / 1.1));
  if (there.sun.altitude > -0.1) draw.circle(x + 0.4 * DISC * Math.cos(there.sun.azimuth), y - 0.55 * DISC * up, 0.24 * DISC, { fill: "#fff2c4", soft: 0.2 * DISC, alpha: seen });
  else draw.circle(x, y - 0.15 * DISC, 0.2 * DISC, { fill: "#dfe4f2", alpha: seen });
  if (!there.linked) draw.circle(x, y, DISC, { fill: "transparent", stroke: "white", width: 2 * UNIT, alpha: 0.5 });
}

/** Draws it on top of what the scene has drawn; a picture that is full has no room for it. */
function kitDraws() {
  const { kit } = native;
  if (!kit.arrival && !kit.meeting && !kit.sky && !kit.touch) return;
  old(arrivals, () => WARM);
  old(meetings, () => GLOW);
  old(flights, (flight) => flight.takes + LIT);
  native.home();
  try {
    for (const a of arrivals) {
      const t = (now - a.since) / WARM, r = (150 + 90 * t) * UNIT;
      draw.circle(a.x, a.y, r, { fill: there.city.colour, soft: 2 * r, alpha: 0.5 * (1 - t) ** 2 });
    }
    for (const m of meetings) {
      const t = (now - m.since) / GLOW, r = (60 + 200 * ease.out(t)) * UNIT;
      draw.circle(m.x, m.y, r, { fill: GOLDEN, soft: 2 * r, alpha: 0.55 * (1 - t) ** 2 });
      draw.arc(m.x, m.y, r, 0, 2 * Math.PI, { stroke: GOLDEN, width: 6 * UNIT, alpha: 0.9 * (1 - t) });
    }
    if (kit.sky) kitSky();
    for (const f of flights) {
      const age = now - f.since, way = (t) => [f.x + (CORNER.x - f.x) * t, f.y + (CORNER.y - f.y) * t];
      const head = Math.min(1, age / f.takes), tail = Math.max(0, head - 0.35);
      const style = { stroke: here.city.colour, width: 5 * UNIT, soft: 3 * UNIT };
      if (age < f.takes) draw.line(...way(tail), ...way(head), style);
      else arrives(age - f.takes, here.city.colour);
    }
    if (now - lit < LIT) arrives(now - lit, there.city.colour);
  } catch {}
}

const arrives = (age, stroke) => draw.arc(CORNER.x, CORNER.y, DISC + 26 * UNIT * ease.out(age / LIT), 0, 2 * Math.PI, { stroke, width: 4 * UNIT, alpha: 1 - Math.min(1, age / LIT) });
