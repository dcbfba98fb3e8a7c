// Touches of both cities. What is drawn in a trail fades when it is not drawn any more.
import { here, there, draw } from "moongate";

export function frame() {
  draw.background("#10202c");
  draw.trail("fingers", { fade: 1.5 }, () => {
    for (const site of [there, here]) {
      for (const t of site.touches) draw.circle(t.x, t.y, 50, { fill: site.city.colour, alpha: 0.3 });
    }
  });
}
