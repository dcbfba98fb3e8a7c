//! The ladder: six paths, each as it is and in five bad tempers.

use moongate::link::netem::PathProfile;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// One path.
#[derive(Debug, Clone, Copy)]
pub struct Rung {
    pub path: PathProfile,
    /// A cut is of one way only.
    pub one_way_cut: bool,
}

impl Rung {
    pub fn round_trip(&self) -> Duration {
        2 * self.path.one_way
    }
}

/// Loss in per cent and round trip in milliseconds, times temper.
pub fn rungs() -> Vec<Rung> {
    let ladder = [(0.1, 16), (1.0, 40), (2.0, 90), (3.0, 200), (5.0, 300), (8.0, 450)];
    let plain = ladder.map(|(loss, round_trip)| PathProfile {
        one_way: MS * round_trip / 2,
        loss: loss / 100.0,
        ..PathProfile::default()
    });
    plain
        .into_iter()
        .flat_map(|path| {
            let rung = |path| Rung { path, one_way_cut: false };
            [
                rung(path),
                rung(PathProfile { burst: 4.0, ..path }),
                rung(PathProfile { reorder: 0.05, jitter: 3 * MS, ..path }),
                rung(PathProfile { duplicate: 0.05, ..path }),
                Rung { path, one_way_cut: true },
                rung(PathProfile { max_datagram: 1_200, ..path }),
            ]
        })
        .collect()
}

/// The one that is to be replayed, or as many as `MOONGATE_SEEDS` says.
pub fn seeds(usual: u64) -> std::ops::Range<u64> {
    let number =
        |name| std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")));
    match number("MOONGATE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("MOONGATE_SEEDS").unwrap_or(usual),
    }
}
