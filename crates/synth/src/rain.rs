//! Rain in the air.

/// Draws streaks of rain over light, different in each frame. `bright` is the brightness of a streak.
pub(super) fn draw_streaks(light: &mut [f32], [w, h]: [usize; 2], bright: f32, random: &mut fastrand::Rng) {
    let count = 60 + w * h / 1400;
    let slant = 0.10;
    for _ in 0..count {
        // Near drops are long and faint.
        let near = random.f32();
        let long = h as f32 * (0.02 + 0.07 * near * near);
        let strength = bright * (0.10 - 0.05 * near) * (0.5 + random.f32());
        let (x, y) = (random.f32() * w as f32 * 1.1, random.f32() * (h as f32 + long) - long);
        let steps = long as usize;
        for step in 0..steps {
            let row = y + step as f32;
            let column = x - slant * step as f32;
            if row < 0.0 || column < 0.0 {
                continue;
            }
            let (i, j) = (column as usize, row as usize);
            if i + 1 >= w || j >= h {
                continue;
            }
            let part = column - i as f32;
            let ends = (step as f32 / steps as f32 * std::f32::consts::PI).sin();
            for (at, share) in [(j * w + i, 1.0 - part), (j * w + i + 1, part)] {
                let pixel = &mut light[at];
                *pixel += (bright - *pixel * 0.5).max(0.0) * strength * share * ends;
            }
        }
    }
}

/// Draws drops that hit the ground as bright specks, different in each frame.
pub(super) fn draw_splashes(
    light: &mut [f32],
    ground: impl Fn(usize) -> bool,
    [w, h]: [usize; 2],
    random: &mut fastrand::Rng,
) {
    for _ in 0..w * h / 2400 {
        let (x, y) = (random.usize(..w), random.usize(..h));
        let at = y * w + x;
        // Near splashes are larger; distant ones are invisible.
        let near = y as f32 / h as f32;
        if ground(at) && random.f32() < near {
            light[at] *= 1.0 + 0.35 * near;
            if near > 0.6 && x + 1 < w {
                light[at + 1] *= 1.0 + 0.2 * near;
            }
        }
    }
}
