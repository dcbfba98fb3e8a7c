//! Unplugs and replugs cameras a thousand times; no resources may leak.
//! The test is alone in its process, because it counts the process's resources.

mod devices;

use devices::{Devices, until};
use moongate::device::camera::{CameraHandle, CameraTiming};
use std::time::{Duration, Instant};

const CYCLES: u64 = 1_000;
/// Number of cameras at the same time.
const CAMERAS: u64 = 4;
/// Starts of each camera before it is replaced by a new one.
const STARTS: u64 = 25;
const WARM_UP: u64 = 100;

/// Resources of this process, as counted by the system.
#[derive(Debug)]
struct Held {
    files: usize,
    threads: usize,
    children: usize,
    /// Memory in bytes.
    memory: usize,
}

impl Held {
    fn now() -> Self {
        let count = |dir: &str| std::fs::read_dir(dir).expect("a system with /proc").count();
        let own = std::process::id().to_string();
        let parent = |entry: std::fs::DirEntry| {
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name in parentheses may contain anything; the state and the parent follow it.
            stat.rsplit_once(')')?.1.split_whitespace().nth(1).map(str::to_owned)
        };
        let processes = std::fs::read_dir("/proc").expect("a system with /proc");
        let children = processes.filter_map(|entry| parent(entry.ok()?)).filter(|parent| *parent == own).count();
        let status = std::fs::read_to_string("/proc/self/status").expect("a system with /proc");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a system with /proc");
        let kibibytes: usize = resident.trim().trim_end_matches("kB").trim().parse().expect("a number");
        Self { files: count("/proc/self/fd"), threads: count("/proc/self/task"), children, memory: kibibytes << 10 }
    }
}

/// Dies, hangs, floods, lies, prints other text, closes its output, ignores signals, or shows some frames and exits.
/// The order is always the same. It uses shell built-ins where possible, since each extra process costs a millisecond.
const SCRIPT: &str = r#"
read n < "$0.times"
n=$((n + 1))
echo $n > "$0.times"
case $(( (n * 7919 + n / 7) % 10 )) in
    0) exit 1 ;;
    1) exec cat head frame frame ;;
    2) cat head frame; kill -9 $$ ;;
    3) printf 'YUV4MPEG2 W64'; exec tail -f nothing ;;
    4) exec cat head many many ;;
    5) exec cat head frame small ;;
    6) echo 'YUV4MPEG2 W99999 H48' ;;
    7) cat head frame; exec tail -f nothing >/dev/null ;;
    8) trap '' TERM; tail -f "$here/nothing" >/dev/null & sleep 9 ;;
    *) echo 'many words' >&2; exec cat /dev/zero ;;
esac
"#;

#[test]
fn a_thousand_cycles_leave_nothing_behind() {
    let devices = Devices::new();
    devices.write("many", &devices::picture(64, 48, 5).repeat(4));
    let plan = |number: u64| {
        let name = format!("random-{number}");
        devices.write(&format!("{name}.times"), format!("{}\n", number * 1_000).as_bytes());
        devices.script(&name, SCRIPT)
    };
    let plans: Vec<_> = (0..CAMERAS).map(plan).collect();
    let timing = CameraTiming {
        frame_timeout: Duration::from_millis(20),
        first_frame_timeout_max: Duration::from_millis(20),
        backoff: Duration::from_millis(1),
        backoff_max: Duration::from_millis(1),
        recovered_after: Duration::from_secs(60),
        grace: Duration::from_millis(5),
    };
    let began = Instant::now();
    let (mut cycles, mut seen, mut faults) = (0, 0, std::collections::BTreeSet::new());
    let mut before = None;
    while cycles < CYCLES + WARM_UP {
        if cycles >= WARM_UP && before.is_none() {
            before = Some(Held::now());
        }
        let start = |plan| CameraHandle::start(plan, devices.dir(), timing).expect("a thread");
        let mut cameras: Vec<_> = plans.iter().map(start).collect();
        let done = until(Duration::from_secs(60), || {
            cameras.iter_mut().all(|camera| {
                seen += u64::from(camera.next_frame(Duration::from_millis(1)).is_some());
                let status = camera.status();
                // The kind of fault, without its numbers.
                let kind = |fault: String| fault.split([' ', '(']).take(4).collect::<Vec<_>>().join(" ");
                faults.extend(status.last_fault.map(kind));
                status.starts >= STARTS
            })
        });
        let status: Vec<_> = cameras.iter().map(CameraHandle::status).collect();
        assert!(done, "{status:?}");
        cycles += status.iter().map(|status| status.starts).sum::<u64>();
    }
    let before = before.expect("it was taken");
    // A busy machine may take a moment to end a killed process.
    let is_left = |held: &Held| held.children > 0 || held.threads > before.threads || held.files > before.files;
    let mut after = Held::now();
    until(Duration::from_secs(10), || {
        after = Held::now();
        !is_left(&after)
    });
    println!("{cycles} cycles in {:?}, {seen} pictures seen\n{before:?}\n{after:?}\n{faults:?}", began.elapsed());
    assert!(seen > 20, "{seen} pictures");
    assert!(faults.len() >= 5, "{faults:?}");
    assert_eq!(after.files, before.files);
    assert_eq!(after.threads, before.threads);
    assert_eq!(after.children, 0);
    assert!(until(Duration::from_secs(2), || devices.left().is_empty()), "{:?}", devices.left());
    assert!(after.memory < before.memory + (4 << 20), "{} bytes more", after.memory - before.memory);
}
