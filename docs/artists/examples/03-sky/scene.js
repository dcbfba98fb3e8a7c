// Their sky as it is now: above them it is day or night, whatever it is here.
import { there, draw, gradient, mix, canvas } from "moongate";

export function frame() {
  const { sun, city, clock, linked } = there;
  const day = Math.min(1, Math.max(0, sun.altitude * 4 + 0.5));
  draw.background(gradient.linear(0, 0, 0, canvas.height, [mix("#070b1e", "#3f86cc", day), mix("#1c2c5c", "#dfeaf2", day)]));
  const x = canvas.width / 2 - Math.sin(sun.azimuth) * 700, y = 800 - 650 * Math.sin(Math.max(0, sun.altitude));
  if (sun.up) draw.circle(x, y, 70, { fill: "#fff2c4", soft: 30 });
  const style = { readable: 25, align: "center", language: city.language, alpha: linked ? 1 : 0.4 };
  draw.text(`${city.name} ${clock.text}`, canvas.width / 2, 950, style);
}
