//! A picture of a terminal, made of a page's transcripts.

use super::Page;

/// Lines of the picture at most.
const LINES: usize = 30;
/// Characters of a line at most; longer ones are cut.
const COLUMNS: usize = 92;
/// Height of a line and width of a character, pixels.
const LINE: f64 = 19.0;
const CHARACTER: f64 = 8.1;
/// Space around the text, pixels.
const MARGIN: f64 = 16.0;
/// Pause before a command and between lines of output, seconds.
const PAUSE: f64 = 1.2;
const STEP: f64 = 0.06;

/// An SVG file of the first lines of a page's transcripts. They appear one after another, unless the
/// reader prefers no motion.
pub fn picture(page: &Page) -> String {
    let blocks = page.blocks();
    let transcripts = blocks.iter().filter(|block| block.transcript);
    let lines = transcripts.flat_map(|block| block.lines.iter().copied());
    let lines: Vec<&str> = lines.take(LINES).collect();
    let height = 2.0 * MARGIN + lines.len() as f64 * LINE;
    let width = 2.0 * MARGIN + COLUMNS as f64 * CHARACTER;
    let mut text = String::new();
    let mut at = 0.0;
    for (index, line) in lines.iter().enumerate() {
        let (class, shown) = match line.strip_prefix("$ ") {
            Some(command) => ("command", format!("$ {command}")),
            None => ("output", (*line).to_owned()),
        };
        at += if class == "command" { PAUSE } else { STEP };
        let y = MARGIN + (index as f64 + 0.75) * LINE;
        text.push_str(&format!(
            "<text class=\"{class}\" x=\"{MARGIN}\" y=\"{y:.1}\" style=\"animation-delay:{at:.2}s\">{}</text>\n",
            escaped(&cut(&shown))
        ));
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
         height=\"{height:.0}\" role=\"img\" aria-label=\"A terminal: posy retrains on photos of flowers and names a photo\">\n\
         <style>\n\
         text {{ font: 13.5px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; white-space: pre; fill: #d5dbe1; }}\n\
         .command {{ fill: #7ee0a8; font-weight: 600; }}\n\
         @media (prefers-reduced-motion: no-preference) {{\n\
         text {{ animation: appear 0.01s backwards; }}\n\
         @keyframes appear {{ from {{ opacity: 0; }} }}\n\
         }}\n\
         </style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#16202a\"/>\n{text}</svg>\n"
    )
}

/// A line without what does not fit.
fn cut(line: &str) -> String {
    if line.chars().count() <= COLUMNS {
        return line.to_owned();
    }
    let start: String = line.chars().take(COLUMNS - 1).collect();
    start + "…"
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;")
}
