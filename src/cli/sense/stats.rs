//! Statistics of a run: frames, time per frame, bodies, ids.

use super::Failure;
use crate::delay_histogram::DelayHistogram;
use crate::vision::VisionOutput;
use crate::vision::metrics::TrackingReport;
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

/// Running statistics; their memory does not grow with time.
#[derive(Debug, Clone, Default)]
pub(super) struct SenseStats {
    frames: u64,
    size: [usize; 2],
    /// Frames per second.
    pub(super) rate: f64,
    last: Duration,
    /// Time per frame.
    times: DelayHistogram,
    bodies: u64,
    most: usize,
    ids: u64,
    /// Sum of the final ages of people whose id was reused, in seconds.
    ages: f64,
    /// Latest age of each id.
    known: HashMap<u16, f32>,
}

impl SenseStats {
    /// Counts a frame and returns its number, from 1.
    pub(super) fn record_frame(&mut self, at: Duration, size: [usize; 2], seen: &VisionOutput, ms: f32) -> u64 {
        self.frames += 1;
        (self.last, self.size) = (at, size);
        self.times.record(f64::from(ms));
        self.bodies += seen.people.len() as u64;
        self.most = self.most.max(seen.people.len());
        for figure in &seen.people {
            let before = self.known.insert(figure.id, figure.age);
            // An age that has decreased means that the id was reused for another person.
            if let Some(before) = before.filter(|before| figure.age < *before) {
                self.ages += f64::from(before);
                self.ids += 1;
            } else if before.is_none() {
                self.ids += 1;
            }
        }
        self.frames
    }

    fn summary<'a>(&self, report: Option<&'a TrackingReport>) -> SenseSummary<'a> {
        let ages: f64 = self.known.values().map(|age| f64::from(*age)).sum();
        SenseSummary {
            frames: self.frames,
            size: self.size,
            rate: self.rate,
            seconds: self.last.as_secs_f64(),
            ms_median: self.times.percentile(50.0).unwrap_or(0.0),
            ms_p99: self.times.percentile(99.0).unwrap_or(0.0),
            bodies: self.bodies,
            ids: self.ids,
            at_once: self.bodies as f64 / self.frames.max(1) as f64,
            at_once_most: self.most,
            age_mean: (self.ages + ages) / self.ids.max(1) as f64,
            report,
        }
    }

    /// Prints the summary on standard output.
    pub(super) fn print(&self, json: bool, report: Option<&TrackingReport>) -> Result<(), Failure> {
        let summary = self.summary(report);
        let text = if json { serde_json::to_string_pretty(&summary)? } else { summary.to_string() };
        Ok(writeln!(io::stdout(), "{text}")?)
    }
}

/// Summary of a run: JSON with `--json`, text otherwise.
#[derive(Debug, Serialize)]
struct SenseSummary<'a> {
    frames: u64,
    /// Columns and rows of a frame.
    size: [usize; 2],
    /// Frames per second.
    rate: f64,
    seconds: f64,
    ms_median: f64,
    ms_p99: f64,
    /// Sum of the bodies in all frames.
    bodies: u64,
    ids: u64,
    /// Mean number of bodies in a frame.
    at_once: f64,
    at_once_most: usize,
    /// Mean time for which an id was tracked, in seconds.
    age_mean: f64,
    /// Agreement with the ground truth.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    report: Option<&'a TrackingReport>,
}

impl fmt::Display for SenseSummary<'_> {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        let Self { frames, size: [width, height], rate, ms_median, ms_p99, .. } = self;
        writeln!(
            to,
            "{frames} frames of {width}×{height}, {rate:.2} a second: {ms_median:.2} ms a frame (median), {ms_p99:.2} (p99)"
        )?;
        let Self { bodies, ids, at_once, at_once_most, age_mean, .. } = self;
        write!(
            to,
            "{bodies} bodies in all, {at_once:.1} at once ({at_once_most} at most); {ids} ids, followed for {age_mean:.1} s in \
             the mean"
        )?;
        let Some(report) = self.report else { return Ok(()) };
        write!(
            to,
            "\n{}\n{report}\nof {} boxes: {} missed, {} where nobody is",
            TrackingReport::HEAD,
            report.truth,
            report.misses,
            report.false_positives
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::TrackedPerson;

    fn seen(ids: &[(u16, f32)]) -> VisionOutput {
        let figures =
            ids.iter().map(|(id, age)| TrackedPerson { id: *id, age: *age, ..TrackedPerson::default() }).collect();
        VisionOutput { people: figures, ..VisionOutput::default() }
    }

    #[test]
    fn ids_and_ages_are_counted_once() {
        let mut tally = SenseStats::default();
        let frames = [
            seen(&[(1, 0.2)]),
            seen(&[(1, 1.0), (2, 0.5)]),
            // Person 1 is hidden for a while, and returns.
            seen(&[(2, 1.5)]),
            seen(&[(1, 3.0), (2, 2.0)]),
            // Id 2 is reused.
            seen(&[(2, 0.2)]),
        ];
        for (at, seen) in frames.iter().enumerate() {
            let number = tally.record_frame(Duration::from_secs(at as u64), [64, 48], seen, at as f32);
            assert_eq!(number, at as u64 + 1);
        }
        let summary = tally.summary(None);
        assert_eq!((summary.frames, summary.bodies, summary.ids, summary.at_once_most), (5, 7, 3, 2));
        assert!((summary.age_mean - (3.0 + 2.0 + 0.2) / 3.0).abs() < 1e-6, "{}", summary.age_mean);
        assert_eq!((summary.at_once, summary.seconds), (1.4, 4.0));
    }

    #[test]
    fn times_are_told_to_a_hundredth_of_a_millisecond() {
        let mut tally = SenseStats::default();
        for ms in 1..=200 {
            tally.record_frame(Duration::ZERO, [64, 48], &seen(&[]), ms as f32 * 0.01 + 0.001);
        }
        let times = [50.0, 99.0].map(|percent| tally.times.percentile(percent).expect("frames were recorded"));
        assert!((times[0] - 1.0).abs() < 0.02 && (times[1] - 1.98).abs() < 0.03, "{times:?}");
        tally.record_frame(Duration::ZERO, [64, 48], &seen(&[]), f32::MAX);
        tally.record_frame(Duration::ZERO, [64, 48], &seen(&[]), f32::NAN);
        assert_eq!(tally.summary(None).frames, 202);
        assert_eq!(SenseStats::default().summary(None).ms_median, 0.0);
    }
}
