//! The display on which windows are opened: its name in the environment, and a check that it answers.

use std::env::var_os;
use std::io::{Error, ErrorKind, Result as IoResult};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use thiserror::Error;

/// Port of display 0 on another machine.
const X11_PORT: u16 = 6_000;
/// Longest wait for a display on another machine to answer; after that it counts as absent.
const REMOTE_TIMEOUT: Duration = Duration::from_secs(2);
/// Interval between checks for an absent display.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Interval between log messages about an absent display.
const REMIND_INTERVAL: Duration = Duration::from_secs(600);

/// Reason why no window can be opened, with the remedy.
#[derive(Debug, Error)]
pub enum NoDisplay {
    /// The environment names no display.
    #[error(
        "there is no display: neither WAYLAND_DISPLAY nor DISPLAY is set; start it within a graphical session, or name its \
         display (DISPLAY=:0, say, or WAYLAND_DISPLAY and XDG_RUNTIME_DIR), or give --offscreen to draw without windows"
    )]
    Unnamed,
    /// The display named by the environment does not answer.
    #[error(
        "the display {name} cannot be reached ({why}); start it, name the one that is there, or give --offscreen to draw \
         without windows"
    )]
    Unreachable {
        /// The variable and its value.
        name: String,
        /// The error from the system.
        why: Error,
    },
    /// The display answers, but no window can be opened on it.
    #[error(
        "the display opens no window; see what stands above, let this user in (XAUTHORITY, xhost), or give --offscreen to \
         draw without windows"
    )]
    Refused,
    /// The compositor that started this program waits for it to end.
    #[error("the compositor that has started this has ended; whoever started it (systemd, say) is to start both again")]
    Orphaned,
}

/// Checks that the display for windows answers: Wayland if one is named, otherwise X11, as in winit.
/// Returns the id of the process that serves it, where known.
pub fn check() -> Result<Option<u32>, NoDisplay> {
    let set = |name| var_os(name).filter(|value| !value.is_empty());
    // The compositor itself started this process and connected it.
    if set("WAYLAND_SOCKET").is_some() {
        return Ok(None);
    }
    let (variable, value, answers) = match (set("WAYLAND_DISPLAY"), set("DISPLAY")) {
        (Some(socket), _) => {
            let answers = connect_wayland(Path::new(&socket), set("XDG_RUNTIME_DIR").map(PathBuf::from));
            ("WAYLAND_DISPLAY", socket, answers)
        }
        (None, Some(display)) => {
            let answers = connect_x11(&display.to_string_lossy());
            ("DISPLAY", display, answers)
        }
        (None, None) => return Err(NoDisplay::Unnamed),
    };
    answers.map_err(|why| NoDisplay::Unreachable { name: format!("{variable}={}", value.to_string_lossy()), why })
}

/// Waits for a display each time the show needs one.
#[derive(Default)]
pub struct DisplayWaiter {
    /// True if the last display was served by an ancestor of this process.
    served_by_ancestor: bool,
}

impl DisplayWaiter {
    /// Waits until the display answers, and logs at intervals that it does not. Returns false if `over` comes first.
    ///
    /// A kiosk compositor such as cage ends when its last window closes, and waits for the program it started.
    /// Waiting for it in turn would be a deadlock, hence [`NoDisplay::Orphaned`].
    pub fn wait(&mut self, over: impl Fn() -> bool) -> Result<bool, NoDisplay> {
        let mut said: Option<Instant> = None;
        while !over() {
            let why = match check() {
                Ok(server) => {
                    if said.is_some() {
                        tracing::info!("the display is there");
                    }
                    self.served_by_ancestor = server.is_some_and(is_ancestor);
                    return Ok(true);
                }
                Err(_) if self.served_by_ancestor => return Err(NoDisplay::Orphaned),
                Err(why) => why,
            };
            if said.is_none_or(|said| said.elapsed() > REMIND_INTERVAL) {
                tracing::error!("{why}. It is tried again every second");
                said = Some(Instant::now());
            }
            let looked = Instant::now();
            while looked.elapsed() < CHECK_INTERVAL && !over() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(false)
    }
}

/// Returns true if `process` is an ancestor of this process.
fn is_ancestor(process: u32) -> bool {
    let parent = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok().filter(|parent| *parent > 1)
    };
    std::iter::successors(Some(std::os::unix::process::parent_id()), |pid| parent(*pid))
        .take(64)
        .any(|pid| pid == process)
}

/// Returns the id of the process that listens at the other end.
#[cfg(target_os = "linux")]
fn server(stream: &UnixStream) -> Option<u32> {
    let peer = rustix::net::sockopt::socket_peercred(stream).ok()?;
    u32::try_from(peer.pid.as_raw_nonzero().get()).ok()
}

#[cfg(not(target_os = "linux"))]
fn server(_: &UnixStream) -> Option<u32> {
    None
}

/// Connects to a Wayland `socket`, which is relative to the runtime folder unless its path is absolute.
fn connect_wayland(socket: &Path, runtime: Option<PathBuf>) -> IoResult<Option<u32>> {
    let path = match runtime {
        _ if socket.is_absolute() => socket.to_owned(),
        Some(runtime) => runtime.join(socket),
        None => return Err(Error::new(ErrorKind::NotFound, "XDG_RUNTIME_DIR is not set")),
    };
    connect_unix(&path)
}

fn connect_unix(path: &Path) -> IoResult<Option<u32>> {
    let stream =
        UnixStream::connect(path).map_err(|why| Error::new(why.kind(), format!("{}: {why}", path.display())))?;
    Ok(server(&stream))
}

/// Connects to the X11 display `name`: `HOST:NUMBER` or `HOST:NUMBER.SCREEN`, on this machine if the host is empty.
fn connect_x11(name: &str) -> IoResult<Option<u32>> {
    let number = |number: &str| number.split('.').next().and_then(|number| number.parse::<u16>().ok());
    let found = name.rsplit_once(':').and_then(|(host, rest)| Some((host, number(rest)?)));
    let Some((host, number)) = found else {
        return Err(Error::new(ErrorKind::InvalidInput, "a display is written as :0 or host:0"));
    };
    // Some systems name the socket itself.
    if host.starts_with('/') {
        let path = Path::new(if Path::new(name).exists() { name } else { host });
        return connect_unix(path);
    }
    if !["", "unix"].contains(&host) {
        let port = X11_PORT.checked_add(number).ok_or(ErrorKind::InvalidInput)?;
        let address = (host.trim_matches(['[', ']']), port).to_socket_addrs()?.next().ok_or(ErrorKind::NotFound)?;
        return TcpStream::connect_timeout(&address, REMOTE_TIMEOUT).map(|_| None);
    }
    let path = PathBuf::from(format!("/tmp/.X11-unix/X{number}"));
    connect_unix(&path).or_else(|why| without_a_file(&path).map_err(|_| why))
}

/// Connects to the abstract socket of a server, which also works in a container without the folder for socket files.
#[cfg(target_os = "linux")]
fn without_a_file(path: &Path) -> IoResult<Option<u32>> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(path.as_os_str().as_bytes())?;
    UnixStream::connect_addr(&address).map(|stream| server(&stream))
}

#[cfg(not(target_os = "linux"))]
fn without_a_file(_: &Path) -> IoResult<Option<u32>> {
    Err(ErrorKind::NotFound.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_compositor_is_reached_by_its_socket() {
        let runtime = tempfile::tempdir().expect("a folder");
        let path = runtime.path().join("wayland-7");
        let why =
            connect_wayland(Path::new("wayland-7"), Some(runtime.path().to_owned())).expect_err("it is not there");
        assert!(why.to_string().contains("wayland-7: "), "{why}");
        let _listener = UnixListener::bind(&path).expect("our own folder");
        let server = connect_wayland(Path::new("wayland-7"), Some(runtime.path().to_owned())).expect("it listens");
        assert!(server.is_none_or(|server| server == std::process::id()));
        assert!(connect_wayland(&path, None).is_ok());
        let why = connect_wayland(Path::new("wayland-7"), None).expect_err("nobody knows where that is");
        assert!(why.to_string().contains("XDG_RUNTIME_DIR"), "{why}");
    }

    #[test]
    fn who_has_started_this_is_known() {
        assert!(is_ancestor(std::os::unix::process::parent_id()));
        assert!(!is_ancestor(std::process::id()));
    }

    #[test]
    fn a_server_is_reached_by_its_name() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("server:0");
        let name = path.to_str().expect("the folder's name is plain");
        assert!(connect_x11(name).is_err());
        let _listener = UnixListener::bind(&path).expect("our own folder");
        assert!(connect_x11(name).is_ok());
        // A display on another machine is reached by its port.
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        if let Some(number) = port.checked_sub(X11_PORT) {
            assert!(connect_x11(&format!("127.0.0.1:{number}.0")).is_ok());
        }
        for wrong in ["", "0", ":", ":x", "localhost", ":65536", "127.0.0.1:65000", "/nowhere:0", "\u{0}:1"] {
            assert!(connect_x11(wrong).is_err(), "{wrong}");
        }
        let why = connect_x11(":64999").expect_err("nobody has so many");
        assert!(why.to_string().contains("/tmp/.X11-unix/X64999"), "{why}");
    }
}
