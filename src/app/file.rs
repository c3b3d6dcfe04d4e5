//! Files that are written completely or not at all.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::process;

use super::env::print_to;
use crate::error::{Error, Word};
use crate::render::Out;

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// How many temporary files killed processes with the same id may have left.
const MOST_LEFT: u32 = 100;

/// Writes a temporary file next to this path, and renames it when it is complete and on disk.
/// Follows links, and keeps the mode and owner of the old file. Anything but a regular file, such
/// as a device, is written directly.
pub fn replace(
    path: &[u8],
    write: impl FnOnce(&mut Out) -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = |source| Error::WriteFile {
        file: Word::from(path),
        source,
    };
    let write = |mut file: &File| match print_to(&mut file, write) {
        Err(Error::Write(source)) => Err(failed(source)),
        written => written,
    };
    let target = target_of(Path::new(OsStr::from_bytes(path)));
    let old = match fs::metadata(&target) {
        Ok(old) if !old.is_file() => {
            return write(&File::options().write(true).open(&target).map_err(failed)?);
        }
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(error)),
    };
    let (file, beside) = create_beside(&target, old.as_ref()).map_err(failed)?;
    let written = write(&file).and_then(|()| put(&file, &beside, &target).map_err(failed));
    if written.is_err() {
        // Nothing can be done if this fails.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Where a path leads. The last link may lead to a file that does not exist yet.
fn target_of(path: &Path) -> PathBuf {
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        match (fs::canonicalize(&target), fs::read_link(&target)) {
            (Ok(target), _) => return target,
            (Err(_), Ok(link)) => target = target.with_file_name(link),
            (Err(_), Err(_)) => break,
        }
    }
    target
}

fn create_beside(target: &Path, old: Option<&Metadata>) -> io::Result<(File, PathBuf)> {
    let name = target.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let mut left = 0;
    loop {
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.{left}", process::id()));
        let beside = target.with_file_name(hidden);
        match create(&beside, old) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && left < MOST_LEFT => {
                left += 1;
            }
            created => return Ok((created?, beside)),
        }
    }
}

/// Until it has the owner and the mode of the old file, no other user may read it.
fn create(path: &Path, old: Option<&Metadata>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let Some(old) = old else {
        return options.open(path);
    };
    let file = options.mode(0o600).open(path)?;
    // Without the right to give files away, the owner stays.
    let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
    file.set_permissions(old.permissions())?;
    Ok(file)
}

fn put(file: &File, from: &Path, to: &Path) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(from, to)?;
    let folder = match to.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // Some file systems cannot sync a folder.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("{name}.{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn names(folder: &Path) -> Vec<OsString> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    fn put_text(path: &Path, text: &str) -> Result<(), Error> {
        replace(path.as_os_str().as_bytes(), |out| {
            out.text(text);
            Ok(())
        })
    }

    #[test]
    #[cfg_attr(miri, ignore)] // Miri has no links.
    fn a_file_keeps_its_mode_and_its_links() {
        let folder = folder("replaced");
        let (file, link) = (folder.join("file"), folder.join("link"));
        symlink("file", &link).unwrap();
        put_text(&link, "one").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        put_text(&link, "two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
        assert_eq!(names(&folder), ["file", "link"]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    #[cfg_attr(miri, ignore)] // Miri has no links.
    fn links_are_followed_to_a_file_that_does_not_exist_yet() {
        let folder = folder("linked");
        for (link, to) in [("one", "two"), ("two", "three")] {
            symlink(to, folder.join(link)).unwrap();
        }
        put_text(&folder.join("one"), "text").unwrap();
        let three = fs::symlink_metadata(folder.join("three")).unwrap();
        assert!(three.is_file());
        assert_eq!(names(&folder), ["one", "three", "two"]);
        // Following a link to itself ends with an error.
        symlink("round", folder.join("round")).unwrap();
        put_text(&folder.join("round"), "text").unwrap_err();
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    #[cfg_attr(miri, ignore)] // Miri has no rename that replaces a file.
    fn what_fails_leaves_the_old_file() {
        let folder = folder("not-replaced");
        let file = folder.join("file");
        put_text(&file, "old").unwrap();
        let failed = replace(file.as_os_str().as_bytes(), |out| {
            out.text("new").flush()?;
            Err(Error::NulByte)
        });
        assert!(matches!(failed, Err(Error::NulByte)));
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
        assert_eq!(names(&folder), ["file"]);
        let nowhere = put_text(&folder.join("no/where"), "x").unwrap_err();
        assert!(
            nowhere
                .to_string()
                .ends_with("no/where: No such file or directory")
        );
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_device_stays_one() {
        put_text(Path::new("/dev/null"), "x").unwrap();
        let full = put_text(Path::new("/dev/full"), "x").unwrap_err();
        assert_eq!(
            full.to_string(),
            "cannot write /dev/full: No space left on device"
        );
    }
}
