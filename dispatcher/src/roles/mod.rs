//! Roles that move: who holds them, and when they should go elsewhere.

pub mod judge;
