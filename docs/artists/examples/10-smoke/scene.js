// A shader that remembers: `buffer_a` is painted first, from what it was in the frame before. People are its fire.
import { draw } from "moongate";

export function frame() {
  draw.shader("smoke.wgsl");
}
