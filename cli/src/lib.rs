//! The rolecast command.
