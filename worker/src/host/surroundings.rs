//! Surroundings of a worker: environment variables, programs, users, state directory.

use std::env;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use crate::confinement::User;

/// Returns the system's directory for state of a program that must survive a restart.
pub(crate) fn state_directory() -> Option<PathBuf> {
    if let Some(own) = env::var_os("STATE_DIRECTORY") {
        return Some(PathBuf::from(own));
    }
    let base = env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
    base.or_else(home).map(|base| base.join("rolecast"))
}

/// Replaces a leading `~` by the home directory, as a shell would.
pub(crate) fn expand_home(path: &str) -> Result<PathBuf, String> {
    let Some(rest) = path.strip_prefix('~') else {
        return Ok(PathBuf::from(path));
    };
    if !rest.is_empty() && !rest.starts_with('/') {
        let user = path.split('/').next().unwrap_or(path);
        return Err(format!("{user} is not expanded; write the whole path"));
    }
    let home = env::var_os("HOME").filter(|home| !home.is_empty());
    let home = home.ok_or("~ stands for HOME, which is not set; write the whole path")?;
    Ok(Path::new(&home).join(rest.trim_start_matches('/')))
}

/// Returns those of the variables that are set.
pub(crate) fn variables(names: impl IntoIterator<Item = String>) -> Vec<(String, OsString)> {
    let values = names
        .into_iter()
        .filter_map(|name| Some((env::var_os(&name)?, name)));
    values.map(|(value, name)| (name, value)).collect()
}

/// Finds a user by its name or number.
pub(crate) fn find_user(name: &str) -> Result<User, String> {
    let found = match name.parse() {
        Ok(uid) => nix::unistd::User::from_uid(Uid::from_raw(uid)),
        Err(_) => nix::unistd::User::from_name(name),
    };
    let found = found.map_err(|error| format!("user {name:?} cannot be looked up: {error}"))?;
    let found = found.ok_or_else(|| format!("there is no user {name:?} on this host"))?;
    Ok(User {
        groups: groups_of(&found)?,
        uid: found.uid.as_raw(),
        gid: found.gid.as_raw(),
        home: found.dir,
        shell: found.shell,
        name: found.name,
    })
}

#[cfg(not(target_vendor = "apple"))]
fn groups_of(user: &nix::unistd::User) -> Result<Vec<u32>, String> {
    let unknown = |error: &dyn std::fmt::Display| format!("its groups are not known: {error}");
    let name = std::ffi::CString::new(user.name.as_str()).map_err(|error| unknown(&error))?;
    let groups = nix::unistd::getgrouplist(&name, user.gid).map_err(|error| unknown(&error))?;
    Ok(groups.into_iter().map(nix::unistd::Gid::as_raw).collect())
}

#[cfg(target_vendor = "apple")]
fn groups_of(user: &nix::unistd::User) -> Result<Vec<u32>, String> {
    Ok(vec![user.gid.as_raw()])
}

/// Returns the number of the user that this program runs as.
pub(crate) fn own_uid() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Finds a program as a shell would: a bare name along PATH, another path as it is.
pub(crate) fn find_program(name: &str, directory: Option<&Path>) -> Result<PathBuf, String> {
    if name.contains('/') {
        let here = env::current_dir().unwrap_or_default();
        let path = directory.unwrap_or(&here).join(name);
        return match path {
            path if is_executable(&path) => Ok(path),
            path if path.exists() => Err(format!("{} is not executable", path.display())),
            path => Err(format!("{} does not exist", path.display())),
        };
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name))
        .find(|program| is_executable(program));
    found.ok_or_else(|| format!("no program {name:?} on the PATH; install it or write its path"))
}

fn is_executable(path: &Path) -> bool {
    let metadata = std::fs::metadata(path);
    metadata.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Returns the host's name.
pub(crate) fn host_name() -> Option<String> {
    let name = nix::unistd::gethostname().ok()?;
    name.into_string().ok()
}
