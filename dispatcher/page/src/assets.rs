//! The style sheet, the script and the icon.

use rolecast_common::fnv::fnv1a;

/// A file that the page loads.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    pub path: &'static str,
    pub content_type: &'static str,
    pub content: &'static str,
}

/// All of them.
pub const ASSETS: [Asset; 3] = [STYLE, SCRIPT, ICON];

pub(crate) const STYLE: Asset = Asset {
    path: "/page.css",
    content_type: "text/css; charset=utf-8",
    content: include_str!("assets/page.css"),
};
pub(crate) const SCRIPT: Asset = Asset {
    path: "/page.js",
    content_type: "text/javascript; charset=utf-8",
    content: include_str!("assets/page.js"),
};
pub(crate) const ICON: Asset = Asset {
    path: "/icon.svg",
    content_type: "image/svg+xml",
    content: include_str!("assets/icon.svg"),
};

impl Asset {
    /// Returns the address with a mark of the content, so that a browser may keep it.
    pub(crate) fn href(&self) -> String {
        format!(
            "{}?v={:08x}",
            self.path,
            fnv1a(self.content.as_bytes()) >> 32
        )
    }
}
