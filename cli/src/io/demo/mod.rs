//! demo
use super::failure::Failure;
use super::terminal::Terminal;
use crate::args::Demo;
use crate::config::Environment;
use crate::exit::Exit;
pub(crate) async fn run(_: &Demo, _: &Environment, _: &Terminal) -> Result<Exit, Failure> {
    Ok(Exit::Fine)
}
