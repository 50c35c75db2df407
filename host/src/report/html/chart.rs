//! Drawings in SVG, coloured by the page's style sheet.

use std::fmt::Write;

use crate::eval::stats::Share;
use crate::report::judge::Bin;

const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 42.0;

/// A line of a chart.
pub(super) struct Series {
    /// The quantity shown.
    pub(super) name: &'static str,
    /// Its class in the style sheet.
    pub(super) class: &'static str,
    /// Its points.
    pub(super) points: Vec<(f64, f64)>,
}

/// The axes of a chart.
pub(super) struct Axes<'a> {
    /// The chart's title; read out where it cannot be seen.
    pub(super) title: &'a str,
    /// Name of the horizontal axis.
    pub(super) x_name: &'a str,
    /// Percents on the vertical axis.
    pub(super) percent: bool,
    /// Logarithmic horizontal axis.
    pub(super) log: bool,
    /// A place along the bottom to mark.
    pub(super) mark: Option<f64>,
}

/// `text` with what has a meaning in SVG written otherwise.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// A step of 1, 2 or 5 times a power of ten, of which about `count` make `span`.
fn nice_step(span: f64, count: f64) -> f64 {
    let raw = span / count;
    let power = 10f64.powf(raw.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps
        .into_iter()
        .find(|&step| step >= raw)
        .unwrap_or(10.0 * power)
}

/// A number with as many digits as `step` needs.
fn number(value: f64, step: f64) -> String {
    let digits = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.digits$}")
}

struct Frame {
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let part = |value: f64, (low, high): (f64, f64)| (value - low) / (high - low);
        (
            LEFT + part(x, self.x) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - part(y, self.y) * (HEIGHT - TOP - BOTTOM),
        )
    }

    fn begin(title: &str) -> String {
        let title = escape(title);
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\
             <text x=\"0\" y=\"14\">{title}</text>"
        )
    }

    /// A line across at `y` with its number; errors of writing to memory cannot be.
    fn y_tick(&self, svg: &mut String, y: f64, text: &str) {
        let (left, at) = self.at(self.x.0, y);
        let right = WIDTH - RIGHT;
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{left:.1} {at:.1}H{right}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            left - 6.0,
            at + 4.0
        );
    }

    fn x_tick(&self, svg: &mut String, x: f64, text: &str) {
        let (at, bottom) = self.at(x, self.y.0);
        let _ = write!(
            svg,
            "<path class=\"axis\" d=\"M{at:.1} {bottom:.1}v4\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            bottom + 18.0
        );
    }

    fn end(&self, mut svg: String, x_name: &str) -> String {
        let (left, bottom) = self.at(self.x.0, self.y.0);
        let _ = write!(
            svg,
            "<path class=\"axis\" d=\"M{left:.1} {TOP}V{bottom:.1}H{}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text></svg>",
            WIDTH - RIGHT,
            (LEFT + WIDTH - RIGHT) / 2.0,
            HEIGHT - 6.0,
            escape(x_name)
        );
        svg
    }
}

/// A chart of lines; none where there are no points to draw.
pub(super) fn lines(axes: &Axes<'_>, series: &[Series]) -> Option<String> {
    let along = |x: f64| if axes.log { x.log10() } else { x };
    let points = || series.iter().flat_map(|line| &line.points);
    let usable = points().filter(|(x, y)| along(*x).is_finite() && y.is_finite());
    let (mut x, mut y) = ((f64::MAX, f64::MIN), (f64::MAX, f64::MIN));
    for &(at, value) in usable {
        x = (x.0.min(along(at)), x.1.max(along(at)));
        y = (y.0.min(value), y.1.max(value));
    }
    if x.0 > x.1 {
        return None;
    }
    if x.0 == x.1 {
        x = (x.0 - 0.5, x.1 + 0.5);
    }
    let step = nice_step((y.1 - y.0).max(1e-3), 4.0);
    y = ((y.0 / step).floor() * step, (y.1 / step).ceil() * step);
    if y.0 == y.1 {
        y.1 += step;
    }
    let frame = Frame { x, y };
    let mut svg = Frame::begin(axes.title);
    let ticks = ((y.1 - y.0) / step).round() as usize;
    for tick in 0..=ticks {
        let value = y.0 + step * tick as f64;
        let text = match axes.percent {
            true => number(100.0 * value, 100.0 * step) + "%",
            false => number(value, step),
        };
        frame.y_tick(&mut svg, value, &text);
    }
    if axes.log {
        for power in x.0.ceil() as i32..=x.1.floor() as i32 {
            let text = number(10f64.powi(power), 10f64.powi(power));
            frame.x_tick(&mut svg, power.into(), &text);
        }
    } else {
        let step = nice_step(x.1 - x.0, 5.0).max(1.0);
        let mut at = (x.0 / step).ceil() * step;
        while at <= x.1 {
            frame.x_tick(&mut svg, at, &number(at, step));
            at += step;
        }
    }
    if let Some(mark) = axes.mark.map(along).filter(|m| (x.0..=x.1).contains(m)) {
        let (at, bottom) = frame.at(mark, y.0);
        let _ = write!(
            svg,
            "<path class=\"ideal\" d=\"M{at:.1} {TOP}V{bottom:.1}\"/>"
        );
    }
    for line in series {
        let path: Vec<String> = line
            .points
            .iter()
            .filter(|(x, y)| along(*x).is_finite() && y.is_finite())
            .map(|&(x, y)| {
                let (x, y) = frame.at(along(x), y);
                format!("{x:.1} {y:.1}")
            })
            .collect();
        let class = line.class;
        let _ = write!(svg, "<path class=\"{class}\" d=\"M{}\"/>", path.join("L"));
        // A line of few points shows them, so that one alone is seen.
        for point in path.iter().filter(|_| path.len() < 20) {
            let (x, y) = point.split_once(' ').unwrap_or_default();
            let _ = write!(
                svg,
                "<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"3\"/>"
            );
        }
    }
    // The legend, at the right above the drawing.
    let mut at = WIDTH - RIGHT;
    for line in series.iter().rev() {
        let text = escape(line.name);
        let _ = write!(
            svg,
            "<text x=\"{at:.0}\" y=\"14\" text-anchor=\"end\">{text}</text>"
        );
        at -= 7.2 * line.name.chars().count() as f64 + 8.0;
        let _ = write!(
            svg,
            "<path class=\"{}\" d=\"M{:.0} 10H{at:.0}\"/>",
            line.class,
            at - 22.0
        );
        at -= 34.0;
    }
    Some(frame.end(svg, axes.x_name))
}

/// Score against share right, with the interval of each.
pub(super) fn reliability(title: &str, bins: &[Bin]) -> String {
    let frame = Frame {
        x: (0.0, 1.0),
        y: (0.0, 1.0),
    };
    let mut svg = Frame::begin(title);
    for tick in 0..=5 {
        let value = f64::from(tick) / 5.0;
        let text = format!("{:.0}%", 100.0 * value);
        frame.y_tick(&mut svg, value, &text);
        frame.x_tick(&mut svg, value, &text);
    }
    let ((left, bottom), (right, top)) = (frame.at(0.0, 0.0), frame.at(1.0, 1.0));
    let _ = write!(
        svg,
        "<path class=\"ideal\" d=\"M{left:.1} {bottom:.1}L{right:.1} {top:.1}\"/>"
    );
    for bin in bins {
        if let (Some(share), Some((low, high))) = (bin.right.value(), bin.right.interval()) {
            let (x, y) = frame.at(bin.mean_score, share);
            let (low, high) = (frame.at(0.0, low).1, frame.at(0.0, high).1);
            // A dot's area goes with its photos, as far as it stays a dot.
            let radius = (bin.right.whole as f64).sqrt().clamp(2.0, 8.0);
            let _ = write!(
                svg,
                "<path class=\"range\" d=\"M{x:.1} {low:.1}V{high:.1}\"/>\
                 <circle class=\"first\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"/>"
            );
        }
    }
    frame.end(svg, "score")
}

/// A share and its interval on a bar from 0 to 1; nothing of no photos.
pub(super) fn bar(share: Share) -> String {
    let (Some(value), Some((low, high))) = (share.value(), share.interval()) else {
        return String::new();
    };
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"track\" y=\"4\" width=\"100\" height=\"2\"/>\
         <rect class=\"span\" x=\"{:.1}\" y=\"2\" width=\"{:.1}\" height=\"6\"/>\
         <rect class=\"mark\" x=\"{:.1}\" width=\"2\" height=\"10\"/></svg>",
        100.0 * low,
        100.0 * (high - low),
        98.0 * value
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_numbers_short() {
        assert_eq!(nice_step(1.0, 5.0), 0.2);
        assert_eq!(nice_step(400.0, 5.0), 100.0);
        assert_eq!(number(0.30000000000000004, 0.1), "0.3");
        assert_eq!(number(20.0, 10.0), "20");
    }

    #[test]
    fn nothing_is_drawn_of_nothing_and_what_is_not_finite_is_left_out() {
        let axes = Axes {
            title: "a < b",
            x_name: "step",
            percent: false,
            log: false,
            mark: None,
        };
        let series = |points: Vec<(f64, f64)>| {
            [Series {
                name: "training",
                class: "first",
                points,
            }]
        };
        assert_eq!(lines(&axes, &series(vec![])), None);
        assert_eq!(lines(&axes, &series(vec![(0.0, f64::NAN)])), None);
        let svg = lines(
            &axes,
            &series(vec![(0.0, 1.0), (1.0, f64::INFINITY), (2.0, 1.0)]),
        );
        let svg = svg.unwrap();
        assert!(svg.contains("a &lt; b") && !svg.contains("a < b"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert!(
            lines(&axes, &series(vec![(5.0, 0.25)]))
                .unwrap()
                .contains("<circle")
        );
    }
}
