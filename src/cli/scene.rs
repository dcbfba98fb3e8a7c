//! `moongate scene`: runs a scene in its own process. The show starts it; its pipes carry `FrameInput` in and frames
//! out.

use crate::device::clock::thread_cpu;
use crate::device::sandbox;
use crate::scene::{FromScene, SceneDiagnostic, ScriptHost, ToScene, read_message, write_message};
use std::io::{self, BufReader, BufWriter};
use std::process::ExitCode;

/// Command-line arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct SceneArgs {
    /// Run the scene even where this system cannot sandbox it.
    #[arg(long)]
    unjailed: bool,
}

/// Serves the show on standard input and output until they close.
pub fn run(arguments: &SceneArgs) -> ExitCode {
    // A script that never returns cannot notice that its show is gone, so the kernel kills this process.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    // The sandbox is entered before any untrusted input is read.
    let walls = sandbox::enter(sandbox::SCENE_MEMORY_MAX);
    let mut input = BufReader::new(io::stdin().lock());
    let mut output = BufWriter::with_capacity(256 << 10, io::stdout().lock());
    let unjailed = walls.missing();
    if let Some(missing) = unjailed.as_ref().filter(|_| !arguments.unjailed) {
        let fault =
            SceneDiagnostic::new("scene", format!("is not run: its process is {missing}"), sandbox::UNAVAILABLE_HELP);
        let _ = write_message(&mut output, &FromScene::Failed(fault));
        return ExitCode::FAILURE;
    }
    let Ok(ToScene::Start(start)) = read_message(&mut input) else {
        eprintln!("moongate scene is started by a show; try: moongate rehearse");
        return ExitCode::FAILURE;
    };
    let mut host = match ScriptHost::load(&start, thread_cpu) {
        Ok(host) => host,
        Err(fault) => {
            // The show may be gone; then it needs no answer.
            let _ = write_message(&mut output, &FromScene::Failed(fault));
            return ExitCode::FAILURE;
        }
    };
    let mut sent = write_message(&mut output, &FromScene::Ready { unjailed });
    while let (Ok(()), Ok(message)) = (&sent, read_message(&mut input)) {
        match message {
            ToScene::Sees { number, input, json } => {
                sent = write_message(&mut output, &host.run_frame(number, input, &json))
            }
            ToScene::Keep => sent = write_message(&mut output, &FromScene::Keeps(host.export_state())),
            ToScene::Kept(json) => host.import_state(&json),
            // The scene has started already; a second start message is ignored.
            ToScene::Start(_) => {}
        }
    }
    ExitCode::SUCCESS
}
