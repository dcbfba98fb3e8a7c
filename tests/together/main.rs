//! What two cities have together, on a virtual clock: what they leave, what each says of itself, and when they meet.

mod agreed;
#[path = "../ladder_rungs/mod.rs"]
mod ladder_rungs;
mod marks;
mod policy;
mod world;
