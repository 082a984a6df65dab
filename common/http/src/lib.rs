//! Read-only HTTP of Rolecast's programs.
