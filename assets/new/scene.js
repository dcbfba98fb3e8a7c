// TITLE: whoever stands still, or touches, sends a ring over both cities. Save this file, and the screen follows.
import { here, there, ours, draw, gradient, ease, mix, dials, canvas } from "moongate";

const GROWS = 6; // seconds until a ring is gone

// Events: the engine calls what you export. A body is a person whom the camera sees, a touch is a finger.
export function down(touch) { ring(touch); }
export function still(body) { ring(body.head); }
export function meet(at) { if (here.lead) ring(at, "gold"); } // people of both cities overlap: both are told, one answers

// `ours` is what both cities make: a ring that is left here is seen there, and the other way round.
function ring(place, colour) {
  // Of a crowd at one place, one ring a second.
  if (ours.rings.near(place, 200).some((known) => known.age < 1)) return;
  ours.rings.add({ x: place.x, y: place.y }, { colour: colour ?? here.city.colour });
}

export function frame({ now }) {
  // Their sky: it is day or night there, whatever it is here.
  const top = there.sun.up ? "#6f9fc8" : "#0a1024";
  draw.background(gradient.linear(0, 0, 0, canvas.height, [top, mix(top, here.city.colour, 0.3)]));

  for (const { x, y, age, colour } of ours.rings.last(GROWS)) {
    const t = ease.out(age / GROWS);
    draw.circle(x, y, 40 + t * dials.reach, { stroke: colour, width: 12, alpha: 1 - t });
  }

  // `look` tells the cities apart by colour and by texture. Without a camera or a link there is simply nobody.
  for (const body of there.bodies) draw.body(body, there.look);
  for (const body of here.bodies) draw.body(body, here.look);
  for (const touch of there.touches) draw.circle(touch.x, touch.y, 26, { ...there.look, alpha: 0.8 });

  // Their name and their time, in their own script.
  const { city, clock } = there;
  const style = { readable: 25, align: "center", alpha: there.linked ? 0.9 : 0.3, language: city.language };
  draw.text(`${city.name} ${clock.text}`, canvas.width / 2, 110, style);
}
