//! Shell of the simulator: reads files, and runs worlds on all cores.

pub mod compare;
pub mod files;
