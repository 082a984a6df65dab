//! The naive forecast: it stays as it was measured last. It costs nothing, and
//! a model that does not beat it is not worth its own cost.

use super::window::Path;

pub(super) fn predict() -> Path {
    Path::default()
}
