//! The dispatcher's page, rendered from what it knows.
//!
//! [`render`] turns a [`Picture`] into a page for one [`Ask`], the view and the selection
//! that an address names. All is HTML and SVG made here; one style sheet and one script
//! stand beside it ([`ASSETS`]), and nothing is loaded from elsewhere. Every view is
//! complete without the script, which only renews `<main>` by server-sent events.
//!
//! Everything is pure: the shell takes the picture and serves the text.
//!
//! ```
//! use rolecast_common::time::WallTime;
//! use rolecast_page::{Ask, Picture, Standing, render};
//!
//! let ask = Ask::parse("/map", "by=zone").unwrap();
//! let standing = Standing::Connecting { why: "no server answers".to_owned() };
//! let picture = Picture::new("main", WallTime::from_millis(0), standing);
//! assert!(render(&picture, &ask).contains("no server answers"));
//! ```

mod alarms;
mod ask;
mod assets;
mod flow;
mod frame;
mod parts;
mod picture;
#[cfg(test)]
mod samples;
mod selection;
mod svg;
mod table;
mod views;
mod wants;
mod words;

pub use ask::Ask;
pub use assets::{ASSETS, Asset};
pub use flow::Flow;
pub use frame::{render, render_main};
pub use picture::{Choice, Course, Lease, Picture, Standing};
pub use wants::{Wants, wants};
