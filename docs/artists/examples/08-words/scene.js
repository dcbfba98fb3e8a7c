// A text in the languages of both cities, side by side, large enough to be read in passing.
import { here, there, draw, words, canvas } from "moongate";

const welcome = words({ en: "walk with me", zh: "同行", es: "camina conmigo", de: "geh mit mir", fr: "marche avec moi", ja: "一緒に歩こう" });

export function frame({ now }) {
  draw.background(here.sun.up ? "#f6f0e2" : "#14182c");
  const fill = here.sun.up ? "#2a2320" : "#f2ead8", y = canvas.height / 2;
  draw.text(welcome.here, 0.25 * canvas.width, y, { readable: 25, align: "center", fill, wrap: 800 });
  draw.text(welcome.there, 0.75 * canvas.width, y, { readable: 25, align: "center", fill: there.city.colour, wrap: 800, language: there.city.language });
  for (const body of [...there.bodies, ...here.bodies]) draw.body(body, { stroke: body.city.colour, width: 6, fill: "transparent" });
  const x = canvas.width / 2 + 300 * Math.sin(now / 3);
  draw.line(x, y + 80, x + 1, y + 80, { stroke: fill, width: 16 });
  for (const touch of here.touches) draw.circle(touch.x, touch.y, 60, { fill });
}
