//! Input from the other half of a site: what is read is within all limits, and can be sent again.

use super::Target;
use super::inputs::Outcome;
use moongate::link::{LinkCommand, LinkOutput, SiteEvent};
use moongate::marks::{Mark, MarkOrder, NewMark, WriterId};
use moongate::messages::{
    Bounded, LocalTouchEvent, MarkFeed, PeopleMask, ShowMessage, SiteMessage, TwinReport, VisionReport, decode, encode,
};
use moongate::presence::{Body, Phase, Presence, Touch};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::time::Duration;

const NOW: Duration = Duration::from_millis(12_345);

pub const TARGETS: &[Target] = &[
    Target {
        name: "from-site",
        seeds: from_site,
        words: &["lanterns", "{\"a\":1}"],
        most: 16_384,
        run: read::<SiteMessage>,
    },
    Target {
        name: "from-show",
        seeds: from_show,
        words: &["lanterns", "{\"a\":1}"],
        most: 4_096,
        run: read::<ShowMessage>,
    },
];

fn from_site() -> Vec<Vec<u8>> {
    let touch = Touch { id: 3, at: [10.0, 20.0], ..Touch::default() };
    let body = Body { id: 5, people: 1, outline: vec![[1.0, 2.0]; 24], reach: Some([4.0, 5.0]), ..Body::default() };
    let mask = PeopleMask { version: 1, width: 8, height: 4, texels: vec![255; 32] };
    let (bodies, flow) = (vec![body.clone(); 3], vec![[1.0, -1.0]; 576]);
    let mark = Mark {
        order: MarkOrder { stamp: 7, writer: WriterId { site: [1; 32], store: 2 } },
        sequence: 1,
        made_ms: 1_790_000_000_000,
        created_us: -5,
        seed: 9,
        name: "lanterns".into(),
        at: Some([5.0, 7.0]),
        payload: "{\"a\":1}".into(),
    };
    let mut marks = MarkFeed::default();
    for mut output in [LinkOutput::MarksReset, LinkOutput::Marks(vec![mark; 2]), LinkOutput::Merged { marks: 2 }] {
        marks.handle_output(&mut output);
    }
    let presence = Presence { touches: vec![touch], bodies: vec![body] };
    let event = SiteEvent::Signal { name: "bell".into(), data: "[1]".into() };
    [
        SiteMessage::Touch(LocalTouchEvent { made: NOW, phase: Phase::Down, touch }),
        SiteMessage::Held(vec![1, 2, 3]),
        SiteMessage::Vision(VisionReport { captured: NOW, bodies, motion_energy: 0.5, flow, mask: Some(mask) }),
        SiteMessage::Twin(TwinReport { presence, ..TwinReport::default() }),
        SiteMessage::SharedState("{\"tide\":1}".into()),
        SiteMessage::Marks(marks.drain()),
        SiteMessage::Linked,
        SiteMessage::Event { made: NOW, arrived: NOW, event },
        SiteMessage::Meet { at: NOW, place: [3.0, 4.0] },
    ]
    .iter()
    .map(|message| encode(message).expect("within bounds"))
    .collect()
}

fn from_show() -> Vec<Vec<u8>> {
    let mark = NewMark { name: "lanterns".into(), at: Some([5.0, 7.0]), seed: 1, said: "{\"a\":1}".into() };
    let event = SiteEvent::Signal { name: "bell".into(), data: "[1]".into() };
    let commands = [
        LinkCommand::Event(event),
        LinkCommand::Mark { utc_ms: 1, mark },
        LinkCommand::Meeting([1.0, 2.0]),
        LinkCommand::SharedState("{}".into()),
    ];
    let commands = commands.into_iter().map(|command| ShowMessage::Command { made: NOW, command });
    let messages = commands.chain([ShowMessage::InView { until: NOW }]);
    messages.map(|message| encode(&message).expect("within bounds")).collect()
}

fn read<M: Bounded + Serialize + DeserializeOwned + PartialEq + Debug>(input: &[u8]) -> u64 {
    let mut outcome = Outcome::default();
    match decode::<M>(input) {
        Ok(message) => {
            let again = encode(&message).expect("what was read is within bounds");
            assert_eq!(decode::<M>(&again).as_ref(), Ok(&message));
            outcome.count(again.len());
            outcome.add(again[1].into());
        }
        Err(why) => outcome.fault(&why),
    }
    outcome.end()
}
