// Hello: everybody, and a circle for every touch, in the colour of their city. Run it with: moongate rehearse hello
// `here` is this city and `there` is the other one; the canvas is 1920 by 1080, and y points down.
import { here, there, draw } from "moongate";

export function frame() {
  draw.background("#10202c");
  for (const body of there.bodies) draw.body(body, there.look);
  for (const body of here.bodies) draw.body(body, here.look);
  // What is drawn in a trail fades away when it is not drawn any more.
  draw.trail("touches", { fade: 0.8 }, () => {
    for (const touch of [...there.touches, ...here.touches]) draw.circle(touch.x, touch.y, 60, { fill: touch.city.colour, alpha: 0.2 });
  });
  draw.text(here.city.name, 80, 1000, { size: 72, fill: here.city.colour, language: here.city.language });
}
