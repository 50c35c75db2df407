//! Links, anchors and pictures of all pages, and the pages that the index reaches.

use std::collections::BTreeSet;

use posy_tests::documents::{Page, pages, root};

/// The path `target` as seen from the page `from`, both from the checkout; `None` if it leads out.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The fault of a link, if it has one.
fn fault(pages: &[Page], from: &Page, link: &str) -> Option<String> {
    if let Some(address) = link.strip_prefix("https://") {
        let host = address.split('/').next().unwrap_or_default();
        return (!host.contains('.') || link.contains(' ')).then(|| "is no address".into());
    }
    if link.contains("://") {
        return Some("is neither https nor a path".into());
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match path {
        "" => from.name.clone(),
        path => match resolve(&from.name, path) {
            Some(target) => target,
            None => return Some("leads out of the checkout".into()),
        },
    };
    let page = pages.iter().find(|page| page.name == target);
    if page.is_none() && !root().join(&target).exists() {
        return Some(format!("there is no {target}"));
    }
    match page {
        _ if anchor.is_empty() => None,
        Some(page) if page.anchors().iter().any(|known| known == anchor) => None,
        Some(_) => Some(format!("{target} has no heading #{anchor}")),
        None => Some(format!("{target} has no headings")),
    }
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    let mut faults = Vec::new();
    for page in &pages {
        for (line, link) in page.links() {
            if let Some(fault) = fault(&pages, page, &link) {
                faults.push(format!("{}:{line}: {link}: {fault}", page.name));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn broken_links_are_found() {
    let page = |name: &str, text: &str| Page {
        name: name.into(),
        text: text.into(),
    };
    let pages = [
        page(
            "docs/a.md",
            "# One heading\n\n`[x](y)` [b](b.md#two) [c](c.md)\n\n## It's `two`, twice\n",
        ),
        page("docs/cache.md", ""),
    ];
    assert_eq!(pages[0].anchors(), ["one-heading", "its-two-twice"]);
    let links: Vec<String> = pages[0].links().into_iter().map(|(_, link)| link).collect();
    assert_eq!(links, ["b.md#two", "c.md"]);
    for good in [
        "#one-heading",
        "cache.md",
        "../README.md",
        "https://posy.example/x",
        "../shared",
    ] {
        assert_eq!(fault(&pages, &pages[0], good), None, "{good}");
    }
    for bad in [
        "#one",
        "none.md",
        "cache.md#none",
        "../../../..",
        "http://posy.example",
        "https://nowhere",
    ] {
        assert!(fault(&pages, &pages[0], bad).is_some(), "{bad}");
    }
}

#[test]
fn the_index_and_the_book_name_every_page_of_the_documentation() {
    let linked = |name: &str| -> BTreeSet<String> {
        let page = Page::open(name);
        let links = page.links().into_iter();
        let targets = links.filter_map(|(_, link)| resolve(name, link.split('#').next()?));
        targets.collect()
    };
    let (index, book) = (linked("docs/README.md"), linked("docs/SUMMARY.md"));
    for page in pages() {
        let name = page.name.as_str();
        if name.starts_with("docs/") && !name.ends_with("SUMMARY.md") {
            assert!(book.contains(name), "docs/SUMMARY.md does not name {name}");
            let indexed = name == "docs/README.md" || index.contains(name);
            assert!(indexed, "docs/README.md does not name {name}");
        }
    }
}

/// Pictures that pages show are small.
#[test]
fn pictures_are_small() {
    for page in pages() {
        for (line, link) in page.links() {
            if link.ends_with(".png") || link.ends_with(".svg") {
                let path = root().join(resolve(&page.name, &link).expect("a path"));
                let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
                let place = format!("{}:{line}: {link}: {bytes} bytes", page.name);
                assert!((500..300_000).contains(&bytes), "{place}");
                if link.ends_with(".png") {
                    let picture =
                        image::open(&path).unwrap_or_else(|error| panic!("{place}: {error}"));
                    assert!((200..=1400).contains(&picture.width()), "{place}");
                }
            }
        }
    }
}
