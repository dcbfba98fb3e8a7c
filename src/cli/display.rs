//! The display that windows would be opened on: which one the environment names, and whether it answers.

use std::env::var_os;
use std::io::{Error, ErrorKind, Result as IoResult};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use thiserror::Error;

/// The port of display 0 of another machine.
const X11_PORT: u16 = 6_000;
/// A display of another machine that does not answer within this time is not there.
const REMOTE: Duration = Duration::from_secs(2);
/// A display that is not there is looked for this often.
const LOOK: Duration = Duration::from_secs(1);
/// And spoken of this often.
const REMIND: Duration = Duration::from_secs(600);

/// Why no window can be opened, with the remedy.
#[derive(Debug, Error)]
pub enum NoDisplay {
    /// The environment names none.
    #[error(
        "there is no display: neither WAYLAND_DISPLAY nor DISPLAY is set; start it within a graphical session, or name its \
         display (DISPLAY=:0, say, or WAYLAND_DISPLAY and XDG_RUNTIME_DIR), or give --offscreen to draw without windows"
    )]
    Unnamed,
    /// The one that the environment names does not answer.
    #[error(
        "the display {name} cannot be reached ({why}); start it, name the one that is there, or give --offscreen to draw \
         without windows"
    )]
    Unreachable {
        /// The variable and its value.
        name: String,
        /// What the system says.
        why: Error,
    },
    /// It answers, and no window can be opened on it.
    #[error(
        "the display opens no window; see what stands above, let this user in (XAUTHORITY, xhost), or give --offscreen to \
         draw without windows"
    )]
    Refused,
    /// Its compositor has started this program, and waits for its end.
    #[error("the compositor that has started this has ended; whoever started it (systemd, say) is to start both again")]
    Orphaned,
}

/// Checks that the display which windows would be opened on answers: Wayland where one is named, X11 otherwise, as winit
/// chooses. The process that serves it, where that is known.
pub fn check() -> Result<Option<u32>, NoDisplay> {
    let set = |name| var_os(name).filter(|value| !value.is_empty());
    // The compositor itself has started this process, and has connected it.
    if set("WAYLAND_SOCKET").is_some() {
        return Ok(None);
    }
    let (variable, value, answers) = match (set("WAYLAND_DISPLAY"), set("DISPLAY")) {
        (Some(socket), _) => {
            let answers = wayland(Path::new(&socket), set("XDG_RUNTIME_DIR").map(PathBuf::from));
            ("WAYLAND_DISPLAY", socket, answers)
        }
        (None, Some(display)) => {
            let answers = x11(&display.to_string_lossy());
            ("DISPLAY", display, answers)
        }
        (None, None) => return Err(NoDisplay::Unnamed),
    };
    answers.map_err(|why| NoDisplay::Unreachable { name: format!("{variable}={}", value.to_string_lossy()), why })
}

/// Waits for a display, again and again.
#[derive(Default)]
pub struct Watch {
    /// The display that was there last is served by a process that has started this one.
    is_ours: bool,
}

impl Watch {
    /// Waits until the display answers, and says now and then that it does not. False when `over` comes first.
    ///
    /// A kiosk compositor such as cage ends when its last window goes, and waits for the program that it has started:
    /// to wait for each other would be for ever, hence [`NoDisplay::Orphaned`].
    pub fn wait(&mut self, over: impl Fn() -> bool) -> Result<bool, NoDisplay> {
        let mut said: Option<Instant> = None;
        while !over() {
            let why = match check() {
                Ok(server) => {
                    if said.is_some() {
                        tracing::info!("the display is there");
                    }
                    self.is_ours = server.is_some_and(is_ancestor);
                    return Ok(true);
                }
                Err(_) if self.is_ours => return Err(NoDisplay::Orphaned),
                Err(why) => why,
            };
            if said.is_none_or(|said| said.elapsed() > REMIND) {
                tracing::error!("{why}. It is tried again every second");
                said = Some(Instant::now());
            }
            let looked = Instant::now();
            while looked.elapsed() < LOOK && !over() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(false)
    }
}

/// Whether this process was started by that one, or by one that it has started.
fn is_ancestor(process: u32) -> bool {
    let parent = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok().filter(|parent| *parent > 1)
    };
    std::iter::successors(Some(std::os::unix::process::parent_id()), |pid| parent(*pid))
        .take(64)
        .any(|pid| pid == process)
}

/// The process that listens at the other end.
#[cfg(target_os = "linux")]
fn server(stream: &UnixStream) -> Option<u32> {
    let peer = rustix::net::sockopt::socket_peercred(stream).ok()?;
    u32::try_from(peer.pid.as_raw_nonzero().get()).ok()
}

#[cfg(not(target_os = "linux"))]
fn server(_: &UnixStream) -> Option<u32> {
    None
}

/// `socket` lies in the runtime folder unless it is a whole path.
fn wayland(socket: &Path, runtime: Option<PathBuf>) -> IoResult<Option<u32>> {
    let path = match runtime {
        _ if socket.is_absolute() => socket.to_owned(),
        Some(runtime) => runtime.join(socket),
        None => return Err(Error::new(ErrorKind::NotFound, "XDG_RUNTIME_DIR is not set")),
    };
    reach(&path)
}

fn reach(path: &Path) -> IoResult<Option<u32>> {
    let stream =
        UnixStream::connect(path).map_err(|why| Error::new(why.kind(), format!("{}: {why}", path.display())))?;
    Ok(server(&stream))
}

/// `name` is `HOST:NUMBER` or `HOST:NUMBER.SCREEN`; this machine where there is no host.
fn x11(name: &str) -> IoResult<Option<u32>> {
    let number = |number: &str| number.split('.').next().and_then(|number| number.parse::<u16>().ok());
    let found = name.rsplit_once(':').and_then(|(host, rest)| Some((host, number(rest)?)));
    let Some((host, number)) = found else {
        return Err(Error::new(ErrorKind::InvalidInput, "a display is written as :0 or host:0"));
    };
    // The socket itself, as some systems name it.
    if host.starts_with('/') {
        let path = Path::new(if Path::new(name).exists() { name } else { host });
        return reach(path);
    }
    if !["", "unix"].contains(&host) {
        let port = X11_PORT.checked_add(number).ok_or(ErrorKind::InvalidInput)?;
        let address = (host.trim_matches(['[', ']']), port).to_socket_addrs()?.next().ok_or(ErrorKind::NotFound)?;
        return TcpStream::connect_timeout(&address, REMOTE).map(|_| None);
    }
    let path = PathBuf::from(format!("/tmp/.X11-unix/X{number}"));
    reach(&path).or_else(|why| without_a_file(&path).map_err(|_| why))
}

/// Servers also listen where no file is needed, in a container without their folder for one.
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
        let why = wayland(Path::new("wayland-7"), Some(runtime.path().to_owned())).expect_err("it is not there");
        assert!(why.to_string().contains("wayland-7: "), "{why}");
        let _listener = UnixListener::bind(&path).expect("our own folder");
        let server = wayland(Path::new("wayland-7"), Some(runtime.path().to_owned())).expect("it listens");
        assert!(server.is_none_or(|server| server == std::process::id()));
        assert!(wayland(&path, None).is_ok());
        let why = wayland(Path::new("wayland-7"), None).expect_err("nobody knows where that is");
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
        assert!(x11(name).is_err());
        let _listener = UnixListener::bind(&path).expect("our own folder");
        assert!(x11(name).is_ok());
        // Another machine's is a port.
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        if let Some(number) = port.checked_sub(X11_PORT) {
            assert!(x11(&format!("127.0.0.1:{number}.0")).is_ok());
        }
        for wrong in ["", "0", ":", ":x", "localhost", ":65536", "127.0.0.1:65000", "/nowhere:0", "\u{0}:1"] {
            assert!(x11(wrong).is_err(), "{wrong}");
        }
        let why = x11(":64999").expect_err("nobody has so many");
        assert!(why.to_string().contains("/tmp/.X11-unix/X64999"), "{why}");
    }
}
