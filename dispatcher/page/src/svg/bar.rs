//! A bar: shares of a whole, one beside the other.

use maud::{Markup, html};

use super::coordinate;

/// Draws parts of `whole`, each with its class; `title` names all of it.
pub(crate) fn bar(title: &str, whole: f64, parts: &[(&str, f64)]) -> Markup {
    let mut x = 0.0;
    let mut rects = Vec::new();
    for (class, amount) in parts {
        let share = if whole > 0.0 {
            100.0 * amount / whole
        } else {
            0.0
        };
        let width = share.clamp(0.0, 100.0 - x);
        if width > 0.0 {
            rects.push((*class, coordinate(x), coordinate(width)));
        }
        x += width;
    }
    html! {
        svg.bar viewBox="0 0 100 8" preserveAspectRatio="none" role="img" {
            title { (title) }
            rect.track width="100" height="8" {}
            @for (class, x, width) in rects {
                rect class=(class) x=(x) width=(width) height="8" {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_never_exceed_the_whole() {
        let text = bar("cpu", 4.0, &[("used", 3.0), ("reserved", 9.0)]).into_string();
        assert!(
            text.contains(r#"<rect class="used" x="0" width="75" height="8">"#),
            "{text}"
        );
        assert!(
            text.contains(r#"<rect class="reserved" x="75" width="25""#),
            "{text}"
        );
        let text = bar("cpu", 0.0, &[("used", f64::NAN)]).into_string();
        assert!(!text.contains("used"), "{text}");
    }
}
