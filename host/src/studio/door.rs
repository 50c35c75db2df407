//! The door: which requests are let in.
//!
//! The page lies on this machine alone, but any page in the user's browser can send requests to this
//! machine. So a request must name this server as its host (a name that was rebound to this address is
//! none: DNS rebinding), must not come from another origin, and must carry this run's token, which the
//! address has that the user opens, and a cookie from then on that scripts do not see and other sites do
//! not send.

use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};

/// Content security policy of the pages: nothing from elsewhere, no inline scripts; pictures also out of memory.
pub const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob:; frame-ancestors 'none'; \
                          base-uri 'none'; form-action 'none'";

/// Headers of every response.
pub const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// The secret of a run.
#[derive(Clone, Debug)]
pub struct Door {
    /// The port that the server listens on.
    port: u16,
    token: String,
}

/// Reasons to refuse a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The request names another host.
    Host,
    /// The request comes from another site's page.
    Origin,
    /// The request has no token, or one of an earlier run.
    Token,
}

impl Refused {
    /// The reason in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Host => "posy studio answers to 127.0.0.1 and localhost alone",
            Self::Origin => "posy studio answers its own page alone",
            Self::Token => {
                "this address lacks the token of this run: open the address that posy studio printed"
            }
        }
    }
}

/// A request that is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// Let in by its cookie.
    Known,
    /// Let in by the token in its address: a cookie is to be set.
    New(HeaderValue),
}

impl Door {
    /// A door for the server on `port`, with a token of 128 random bits.
    pub fn new(port: u16) -> Self {
        let token = format!("{:032x}", rand::random::<u128>());
        Door { port, token }
    }

    /// The address that the user opens.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}/?token={}", self.port, self.token)
    }

    /// Name of the cookie: cookies of one machine are shared by all its ports.
    fn cookie(&self) -> String {
        format!("posy_studio_{}", self.port)
    }

    /// Decides on a request.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn admit(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<Admitted, Refused> {
        let hosts = [
            format!("127.0.0.1:{}", self.port),
            format!("localhost:{}", self.port),
        ];
        let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
        let mut named = headers.get_all(HOST).iter();
        let host = match (named.next(), named.next()) {
            (Some(host), None) => text(host),
            _ => return Err(Refused::Host),
        };
        // A request line with a whole address has a host of its own.
        let is_other = uri
            .authority()
            .is_some_and(|authority| authority.as_str() != host);
        if is_other || !hosts.contains(&host) {
            return Err(Refused::Host);
        }
        // Browsers name the origin of whatever changes something, and of scripts of other sites.
        let origin = headers.get(ORIGIN).map(text);
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match origin {
            Some(origin) if origin != format!("http://{host}") => return Err(Refused::Origin),
            None if !reads => return Err(Refused::Origin),
            _ => {}
        }
        if headers
            .get("sec-fetch-site")
            .is_some_and(|site| site == "cross-site")
            && uri.path() != "/"
        {
            return Err(Refused::Origin);
        }
        let cookies = headers.get_all(COOKIE).iter().map(text);
        let cookies: Vec<String> = cookies.collect();
        let cookies = cookies.iter().flat_map(|line| line.split(';'));
        let mut pairs = cookies.filter_map(|cookie| cookie.trim().split_once('='));
        let name = self.cookie();
        if pairs.any(|(key, value)| key == name && self.is_token(value)) {
            return Ok(Admitted::Known);
        }
        let query = uri.query().unwrap_or_default().split('&');
        let mut tokens = query.filter_map(|part| part.strip_prefix("token="));
        if reads && uri.path() == "/" && tokens.any(|token| self.is_token(token)) {
            let cookie = format!("{name}={}; Path=/; HttpOnly; SameSite=Strict", self.token);
            let cookie = HeaderValue::from_str(&cookie).map_err(|_| Refused::Token)?;
            return Ok(Admitted::New(cookie));
        }
        Err(Refused::Token)
    }

    /// Compares in a time that does not depend on how many characters are right.
    fn is_token(&self, given: &str) -> bool {
        let pairs = given.bytes().zip(self.token.bytes());
        let differing = pairs.fold(0, |differing, (a, b)| differing | (a ^ b));
        given.len() == self.token.len() && differing == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn admit(
        door: &Door,
        method: Method,
        uri: &str,
        pairs: &[(&'static str, &str)],
    ) -> Result<Admitted, Refused> {
        door.admit(&method, &uri.parse().unwrap(), &headers(pairs))
    }

    #[test]
    fn only_this_servers_names_are_hosts() {
        let door = Door::new(80);
        let cookie = format!("posy_studio_80={}", door.token);
        let known = |host: &str| {
            admit(
                &door,
                Method::GET,
                "/api",
                &[("host", host), ("cookie", &cookie)],
            )
        };
        assert_eq!(known("127.0.0.1:80"), Ok(Admitted::Known));
        assert_eq!(known("localhost:80"), Ok(Admitted::Known));
        for host in [
            "evil.example:80",
            "127.0.0.1",
            "127.0.0.1:81",
            "127.0.0.1.evil.example:80",
            "0.0.0.0:80",
            "",
        ] {
            assert_eq!(known(host), Err(Refused::Host), "{host}");
        }
        let none = admit(&door, Method::GET, "/api", &[("cookie", &cookie)]);
        assert_eq!(none, Err(Refused::Host));
        let two = [
            ("host", "127.0.0.1:80"),
            ("host", "evil.example"),
            ("cookie", &*cookie),
        ];
        assert_eq!(admit(&door, Method::GET, "/api", &two), Err(Refused::Host));
        let both = [("host", "127.0.0.1:80"), ("cookie", &*cookie)];
        let other = admit(&door, Method::GET, "http://evil.example/api", &both);
        assert_eq!(other, Err(Refused::Host));
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let door = Door::new(80);
        let cookie = format!("x=1; posy_studio_80={}", door.token);
        let with = |method: Method, more: &[(&'static str, &str)]| {
            let own = [("host", "127.0.0.1:80"), ("cookie", &*cookie)];
            admit(&door, method, "/api", &[&own, more].concat())
        };
        let own = ("origin", "http://127.0.0.1:80");
        assert_eq!(with(Method::POST, &[own]), Ok(Admitted::Known));
        assert_eq!(with(Method::GET, &[own]), Ok(Admitted::Known));
        for origin in [
            "http://evil.example",
            "null",
            "https://127.0.0.1:80",
            "http://127.0.0.1:81",
            "http://localhost:80",
        ] {
            for method in [Method::GET, Method::POST, Method::DELETE] {
                assert_eq!(
                    with(method, &[("origin", origin)]),
                    Err(Refused::Origin),
                    "{origin}"
                );
            }
        }
        assert_eq!(with(Method::POST, &[]), Err(Refused::Origin));
        assert_eq!(
            with(Method::GET, &[("sec-fetch-site", "cross-site")]),
            Err(Refused::Origin)
        );
    }

    #[test]
    fn nothing_is_let_in_without_the_token() {
        let door = Door::new(80);
        let host = ("host", "127.0.0.1:80");
        let get = |uri: &str, more: &[(&'static str, &str)]| {
            admit(&door, Method::GET, uri, &[&[host], more].concat())
        };
        let address = door.address();
        let opened = get(address.strip_prefix("http://127.0.0.1:80").unwrap(), &[]).unwrap();
        let Admitted::New(cookie) = opened else {
            panic!("{opened:?}");
        };
        let cookie = cookie.to_str().unwrap();
        assert!(
            cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"),
            "{cookie}"
        );
        let pair = cookie.split(';').next().unwrap();
        assert_eq!(get("/api", &[("cookie", pair)]), Ok(Admitted::Known));
        let shorter = &pair[..pair.len() - 1];
        let other = Door::new(80);
        let others = format!("posy_studio_80={}", other.token);
        for cookie in [
            "",
            "posy_studio_80=",
            shorter,
            &others,
            &pair.replace("_80", "_81"),
        ] {
            assert_eq!(
                get("/api", &[("cookie", cookie)]),
                Err(Refused::Token),
                "{cookie}"
            );
        }
        assert_eq!(get("/", &[]), Err(Refused::Token));
        assert_eq!(get("/?token=", &[]), Err(Refused::Token));
        // The token opens the page and nothing else.
        assert_eq!(
            get(&format!("/api?token={}", door.token), &[]),
            Err(Refused::Token)
        );
        assert_eq!(door.token.len(), 32);
        assert_ne!(door.token, other.token);
    }
}
