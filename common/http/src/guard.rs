//! The guard before every page: refuses what may not be answered, and adds to each answer
//! how browsers must treat it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};

use crate::host::Hosts;
use crate::token::Token;

/// Pages that need no token: probes have none.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];
/// Sources of a page's parts: nothing but this server's own files, and no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Checks of a request, before anything else is done with it.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    token: Option<Token>,
    hosts: Hosts,
}

/// The reason why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Refusal {
    /// It would not only read.
    Method,
    /// It names another host.
    Host(String),
    /// A page of another site makes it.
    Site,
    /// It shows no token, or another one.
    Token,
}

impl Guard {
    pub(crate) fn new(token: Option<Token>, hosts: Hosts) -> Self {
        Self { token, hosts }
    }

    /// Places the guard before all pages of the router.
    pub(crate) fn before(self, router: Router) -> Router {
        let router = router.fallback(|| async { (StatusCode::NOT_FOUND, "no such page\n") });
        router.layer(from_fn_with_state(Arc::new(self), pass))
    }

    fn check(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let authority = match uri.authority() {
            Some(authority) => Some(authority.as_str()),
            None => text(&HOST),
        };
        // Simple probes name no host; every browser does.
        if headers.contains_key(HOST) || authority.is_some() {
            let authority = authority.unwrap_or_default();
            if !self.hosts.serve(authority) || headers.get_all(HOST).iter().count() > 1 {
                let shown = authority.chars().take(100);
                return Err(Refusal::Host(shown.collect()));
            }
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Err(Refusal::Method);
        }
        let fetch = |name| text(&HeaderName::from_static(name)).unwrap_or_default();
        let is_foreign = matches!(fetch("sec-fetch-site"), "cross-site" | "same-site");
        if is_foreign && fetch("sec-fetch-mode") != "navigate" {
            return Err(Refusal::Site);
        }
        let Some(token) = &self.token else {
            return Ok(());
        };
        let is_open = OPEN.contains(&uri.path());
        let is_shown = text(&AUTHORIZATION).is_some_and(|header| token.is_shown_by(header));
        if is_open || is_shown {
            return Ok(());
        }
        Err(Refusal::Token)
    }
}

async fn pass(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let checked = guard.check(request.method(), request.uri(), request.headers());
    let mut response = match checked {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.response(),
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // Files that do not change have a header of their own.
    let cache = headers.entry(CACHE_CONTROL);
    cache.or_insert(HeaderValue::from_static("no-store"));
    response
}

impl Refusal {
    fn response(&self) -> Response {
        match self {
            Refusal::Method => {
                let text = "only GET and HEAD: nothing can be changed here\n";
                let allowed = [(ALLOW, "GET, HEAD")];
                (StatusCode::METHOD_NOT_ALLOWED, allowed, text).into_response()
            }
            Refusal::Host(host) => {
                let text = format!(
                    "host {host:?} is not served here; if it is a name of this machine, add it to \
                     hosts under [http]\n"
                );
                (StatusCode::MISDIRECTED_REQUEST, text).into_response()
            }
            Refusal::Site => {
                let text = "a page of another site may not read this\n";
                (StatusCode::FORBIDDEN, text).into_response()
            }
            Refusal::Token => {
                let text = "show the token of [http]: as Bearer, or as the password of any user\n";
                let asked = [(
                    WWW_AUTHENTICATE,
                    "Basic realm=\"rolecast\", charset=\"UTF-8\"",
                )];
                (StatusCode::UNAUTHORIZED, asked, text).into_response()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn check(guard: &Guard, method: &str, uri: &str, headers: &[(&str, &str)]) -> Option<Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, value.parse().unwrap());
        }
        let method = method.parse().unwrap();
        guard.check(&method, &uri.parse().unwrap(), &map).err()
    }

    #[test]
    fn only_readers_that_name_this_host_are_answered() {
        let guard = Guard::new(None, Hosts::default());
        let local = [("host", "localhost:8640")];
        assert_eq!(check(&guard, "GET", "/", &local), None);
        assert_eq!(check(&guard, "HEAD", "/metrics", &local), None);
        assert_eq!(check(&guard, "GET", "/healthz", &[]), None);
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "X"] {
            assert_eq!(check(&guard, method, "/", &local), Some(Refusal::Method));
        }
        let evil = Refusal::Host("evil.example".to_owned());
        let named = [("host", "evil.example")];
        assert_eq!(check(&guard, "GET", "/healthz", &named), Some(evil.clone()));
        let absolute = "http://evil.example/";
        assert_eq!(check(&guard, "GET", absolute, &local), Some(evil));
        let twice = [("host", "localhost"), ("host", "evil.example")];
        let refused = check(&guard, "GET", "/", &twice);
        assert!(matches!(refused, Some(Refusal::Host(_))), "{refused:?}");
    }

    #[test]
    fn pages_of_other_sites_may_link_here_but_read_nothing() {
        let guard = Guard::new(None, Hosts::default());
        let asked = |site, mode| {
            let headers = [
                ("host", "localhost"),
                ("sec-fetch-site", site),
                ("sec-fetch-mode", mode),
            ];
            check(&guard, "GET", "/", &headers)
        };
        assert_eq!(asked("same-origin", "cors"), None);
        assert_eq!(asked("none", "navigate"), None);
        assert_eq!(asked("cross-site", "navigate"), None);
        assert_eq!(asked("cross-site", "no-cors"), Some(Refusal::Site));
        assert_eq!(asked("same-site", "cors"), Some(Refusal::Site));
    }

    #[test]
    fn a_token_is_needed_for_all_but_probes() {
        let guard = Guard::new(Some(Token::new(TOKEN).unwrap()), Hosts::default());
        let host = ("host", "localhost");
        assert_eq!(check(&guard, "GET", "/healthz", &[host]), None);
        assert_eq!(check(&guard, "GET", "/readyz", &[host]), None);
        for path in ["/", "/metrics", "/healthz/", "/readyz2"] {
            let refused = check(&guard, "GET", path, &[host]);
            assert_eq!(refused, Some(Refusal::Token), "{path}");
        }
        let shown = format!("Bearer {TOKEN}");
        let shown = [host, ("authorization", shown.as_str())];
        assert_eq!(check(&guard, "GET", "/metrics", &shown), None);
        let wrong = [host, ("authorization", "Bearer fedcba9876543210")];
        assert_eq!(check(&guard, "GET", "/", &wrong), Some(Refusal::Token));
    }
}
