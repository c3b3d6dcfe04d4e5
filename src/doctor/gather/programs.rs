//! Other programs, started together, with a time limit.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::kernel::keep_descriptors_from;
use crate::later::Later;

/// The search path for system programs, whatever the environment says.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

/// The time limit for programs, long enough for a slow and busy host.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most output read from one program, in bytes.
const MOST: u64 = 64 << 20;

pub struct Running {
    child: Child,
    output: Later<io::Result<String>>,
    end: Instant,
}

impl Running {
    /// Starts a program, if it is installed.
    pub fn start(words: &[&str]) -> Option<io::Result<Self>> {
        let (name, arguments) = words.split_first()?;
        let paths = FOLDERS.iter().map(|folder| Path::new(folder).join(name));
        let path = paths.into_iter().find(|path| path.exists())?;
        Some(Self::run(&path, arguments))
    }

    fn run(path: &Path, arguments: &[&str]) -> io::Result<Self> {
        let end = Instant::now() + PATIENCE;
        let mut command = Command::new(path);
        keep_descriptors_from(&mut command);
        let mut child = command
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let pipe = child.stdout.take();
        let output = Later::begin(move || match pipe {
            Some(pipe) => io::read_to_string(pipe.take(MOST)),
            None => Ok(String::new()),
        })?;
        Ok(Self { child, output, end })
    }

    /// Waits for the program to end and returns its output. Kills a program that takes too long.
    pub fn finish(mut self) -> io::Result<String> {
        let rest = self.end.saturating_duration_since(Instant::now());
        let Some(text) = self.output.within(rest) else {
            self.child.kill()?;
            self.child.wait()?;
            let seconds = PATIENCE.as_secs();
            let text = format!("it has not ended within {seconds} seconds");
            return Err(io::Error::other(text));
        };
        let status = self.child.wait()?;
        if status.success() {
            return text;
        }
        Err(io::Error::other(format!("it failed: {status}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(words: &[&str]) -> Option<Result<String, String>> {
        let running = Running::start(words)?;
        let output = running.and_then(Running::finish);
        Some(output.map_err(|error| error.to_string()))
    }

    #[test]
    fn programs_are_waited_for() {
        assert_eq!(run(&["echo", "yes"]), Some(Ok("yes\n".to_owned())));
        assert_eq!(run(&["no-such-program"]), None);
        let failed = Some(Err("it failed: exit status: 1".to_owned()));
        assert_eq!(run(&["false"]), failed);
    }

    #[test]
    fn slow_programs_are_stopped() {
        let mut running = Running::start(&["sleep", "100"]).unwrap().unwrap();
        running.end = Instant::now();
        let error = running.finish().unwrap_err();
        let text = "it has not ended within 5 seconds";
        assert_eq!(error.to_string(), text);
    }
}
