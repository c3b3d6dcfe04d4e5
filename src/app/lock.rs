//! A lock for each network namespace: only one process at a time may replace its table.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::Env;
use crate::error::Error;
use crate::kernel::{HERE, Netns};

/// How long to wait without a message, and the pause between two attempts.
const QUIET: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

/// Waits until no other process replaces the table. If no file can be locked, as without `/run`,
/// it continues: the table must be restored anyway. Closing the file releases the lock.
pub fn lock(env: &mut Env) -> Result<Option<File>, Error> {
    let opened =
        path(&env.locking.folder, env.netns.as_ref()).and_then(|path| Ok((open(&path)?, path)));
    let (mut file, path) = match opened {
        Ok(opened) => opened,
        Err(reason) => return without(env, &reason),
    };
    let start = (env.clock.now)();
    let mut is_told = false;
    loop {
        match (env.locking.try_lock)(&file) {
            Ok(()) => break,
            Err(reason) if reason.kind() == io::ErrorKind::WouldBlock => {}
            Err(reason) => return without(env, &reason),
        }
        let waited = (env.clock.now)() - start;
        if waited >= env.locking.patience {
            return Err(Error::Locked {
                holder: holder(&mut file),
                path: path.display().to_string(),
            });
        }
        if waited >= QUIET && !is_told {
            let line = format!(
                "waiting for {}, which replaces the table",
                holder(&mut file)
            );
            env.warn(line.as_bytes());
            is_told = true;
        }
        thread::sleep(PAUSE);
    }
    // Errors are ignored: only messages of other processes use the signature.
    let _ = sign(&mut file);
    Ok(Some(file))
}

fn without(env: &mut Env, reason: &io::Error) -> Result<Option<File>, Error> {
    env.tell_people(&format!("the table is not locked: {reason}"));
    Ok(None)
}

/// The file of a network namespace, or of that of this thread.
fn path(folder: &Path, netns: Option<&Netns>) -> io::Result<PathBuf> {
    let namespace = fs::metadata(netns.map_or(Path::new(HERE), Netns::path))?.ino();
    Ok(folder.join(format!("ipvsadm.net-{namespace}.lock")))
}

/// Anyone who can open the file can lock it, so only root may open it.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).mode(0o600);
    options.custom_flags(libc::O_NOFOLLOW).open(path)
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// The process that has locked the file, as it wrote there.
fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut text));
    match read.ok().and_then(|_| text.trim_end().parse::<u32>().ok()) {
        Some(process) => format!("process {process}"),
        None => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Locking;
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore)] // Miri has no namespaces.
    fn the_wait_for_another_process_ends() {
        let folder = std::env::temp_dir().join(format!("locked.{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = path(&folder, None).unwrap();
        let by_name = path(&folder, Some(&Netns::new("/proc/self/ns/net")));
        assert_eq!(by_name.unwrap(), file);
        fs::write(&file, "4711\n").unwrap();
        let mut env = Env::empty();
        env.locking = Locking {
            folder: folder.clone(),
            try_lock: |_| Err(io::ErrorKind::WouldBlock.into()),
            patience: Duration::ZERO,
        };
        let error = lock(&mut env).unwrap_err();
        let file = file.display();
        assert_eq!(
            error.to_string(),
            format!("process 4711 has not finished replacing the table: {file} is still locked")
        );
        fs::remove_dir_all(folder).unwrap();
    }
}
