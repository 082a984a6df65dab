//! The dispatcher's page, rendered from what it knows.
