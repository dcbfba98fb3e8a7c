//! Reproducible noise: lattice noise for surfaces, a table of Gaussian noise for the sensor.

/// Hashes three numbers to a pseudorandom one.
pub(super) fn hash(a: i32, b: i32, seed: u32) -> u32 {
    let mut h =
        (a as u32).wrapping_mul(0x8da6_b343) ^ (b as u32).wrapping_mul(0xd816_3841) ^ seed.wrapping_mul(0xcb1a_b31f);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    h ^ (h >> 15)
}

/// Returns a pseudorandom number for a cell, 0 to 1.
pub(super) fn cell_random(a: i32, b: i32, seed: u32) -> f32 {
    (hash(a, b, seed) >> 8) as f32 / 16_777_216.0
}

/// Returns smooth noise, -1 to 1, with one hill per unit.
pub(super) fn lattice_noise(x: f32, y: f32, seed: u32) -> f32 {
    let (i, j) = (x.floor(), y.floor());
    let (s, t) = (x - i, y - j);
    let (s, t) = (s * s * (3.0 - 2.0 * s), t * t * (3.0 - 2.0 * t));
    let (i, j) = (i as i32, j as i32);
    let at = |di: i32, dj: i32| cell_random(i.wrapping_add(di), j.wrapping_add(dj), seed);
    let top = at(0, 0) + (at(1, 0) - at(0, 0)) * s;
    let bottom = at(0, 1) + (at(1, 1) - at(0, 1)) * s;
    (top + (bottom - top) * t) * 2.0 - 1.0
}

/// Returns noise of several octaves, about -1 to 1.
pub(super) fn fractal_noise(x: f32, y: f32, seed: u32, octaves: u32) -> f32 {
    let mut sum = 0.0;
    let (mut weight, mut by) = (0.5, 1.0);
    for octave in 0..octaves {
        sum += weight * lattice_noise(x * by, y * by, seed.wrapping_add(octave));
        weight *= 0.5;
        by *= 2.03;
    }
    sum
}

/// Returns smooth noise over time, -1 to 1, with one hill per second at `rate` 1.
pub(super) fn time_noise(time: f64, rate: f64, seed: u32) -> f32 {
    let x = time * rate;
    let i = x.floor();
    let t = (x - i) as f32;
    let t = t * t * (3.0 - 2.0 * t);
    let i = i as i64 as i32;
    let (a, b) = (cell_random(i, 7, seed), cell_random(i.wrapping_add(1), 7, seed));
    (a + (b - a) * t) * 2.0 - 1.0
}

/// Side of a tile of cloth, a power of two.
pub(super) const TILE_SIDE: usize = 64;

/// Returns a seamless tile of folds and weave, within -1.7 and 1.7.
pub(super) fn cloth_tile(seed: u32) -> Vec<f32> {
    let side = TILE_SIDE as i32;
    let layer = |x: i32, y: i32, size: i32, seed: u32| {
        let cells = side / size;
        let at = |i: i32, j: i32| cell_random(i.rem_euclid(cells), j.rem_euclid(cells), seed);
        let (i, j) = (x / size, y / size);
        let (s, t) = ((x % size) as f32 / size as f32, (y % size) as f32 / size as f32);
        let (s, t) = (s * s * (3.0 - 2.0 * s), t * t * (3.0 - 2.0 * t));
        let top = at(i, j) + (at(i + 1, j) - at(i, j)) * s;
        let bottom = at(i, j + 1) + (at(i + 1, j + 1) - at(i, j + 1)) * s;
        (top + (bottom - top) * t) * 2.0 - 1.0
    };
    let mut tile = Vec::with_capacity(TILE_SIDE * TILE_SIDE);
    for y in 0..side {
        for x in 0..side {
            tile.push(0.8 * layer(x, y, 16, seed) + 0.6 * layer(x, y, 8, seed + 1) + 0.3 * layer(x, y, 2, seed + 2));
        }
    }
    tile
}

/// Returns at least `length` values of Gaussian noise with deviation 1, slightly smoothed like a sensor's.
pub(super) fn gaussian_noise(length: usize, random: &mut fastrand::Rng) -> Vec<f32> {
    let raw: Vec<f32> = (0..length + 1).map(|_| (0..6).map(|_| random.f32()).sum::<f32>() * 1.414 - 4.243).collect();
    raw.windows(2).map(|pair| pair[0] * 0.94 + pair[1] * 0.34).collect()
}
