//! Checkpoints of forecasts, and the files of weights.
//!
//! A checksum refuses nearly every mutation, so it is corrected first: the contents
//! behind it have to be refused for what they are. And a state has thousands of numbers
//! of which few matter, so an input may also be a list of patches to one state.

use std::sync::LazyLock;
use std::time::Duration;

use rolecast_common::fnv::fnv1a;
use rolecast_common::id::NodeId;
use rolecast_common::time::WallTime;
use rolecast_common::unit::{Bytes, Cores, Resources};
use rolecast_common::wire::ForecastMode;
use rolecast_forecast::lstm::Weights;
use rolecast_forecast::{
    Ahead, Forecaster, Model, NodeForecast, Params, Quantile, Quantiles, Stack,
};

/// Length of the header before the states of a node: a step, and the time of its last
/// heartbeat.
const NODE_HEADER_LEN: usize = 12;
/// A state's header: format, kind, and as its last four bytes the length.
const STATE_HEADER_LEN: usize = 10;
const SUM_LEN: usize = 8;
/// Heartbeats that arrive after a checkpoint was read: some spans of each length.
const HEARTBEATS: u64 = 40;

pub(in super::super) const PARAMS: Params = Params {
    mode: ForecastMode::On,
    model: Model::Ensemble,
    step_s: 10,
    quantile: Quantile::P90,
};

pub(in super::super) fn node() -> NodeId {
    NodeId::new("n1").expect("it is a node's name")
}

/// Observes a heartbeat this many seconds after `start`.
pub(in super::super) fn observe(forecast: &mut NodeForecast, start: WallTime, second: u64) {
    let capacity = Resources {
        cpu: Cores::clamped(4.0),
        memory: Bytes::from_mib(4096),
        ..Resources::default()
    };
    #[allow(clippy::cast_precision_loss, reason = "a small count")]
    let share = (second / 7 % 10) as f64;
    let used = Resources {
        cpu: Cores::clamped(share * 0.3),
        memory: Bytes::from_mib(100 + second % 300),
        ..Resources::default()
    };
    let at = WallTime::from_millis(start.as_millis().saturating_add(second * 1000));
    forecast.observe(&node(), at, used, capacity);
}

/// Beginning of an input with patches; after it the position, the length, and the bytes.
const PATCHES: &[u8] = b"patch";
const PATCH_LEN: usize = 2 + 1 + 8;
/// Positions of the fields of a forecaster that matter: the number, the head of the
/// history and its count, the profile's bins, and the known origins with their head.
const FIELDS: [usize; 7] = [11, 531, 533, 1162, 1178, 2210, 2218];
const MINUTE: Duration = Duration::from_secs(60);
const CAPACITY: f64 = 100.0;

/// The state that patches are applied to.
static STATE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut forecaster = Forecaster::new(Model::Ensemble, MINUTE, CAPACITY);
    for number in 1..=80u8 {
        let sample = f64::from(number % 7 * (number % 5));
        forecaster.observe(u64::from(number), Some(sample));
    }
    let mut state = Vec::new();
    forecaster.save(&mut state);
    state
});

/// Returns patches that leave each field as it is.
pub(in super::super) fn patches() -> Vec<Vec<u8>> {
    let patch = |at: usize| {
        let place = u16::try_from(at).expect("a state is small").to_le_bytes();
        [PATCHES, &place, &[8], &STATE[at..at + 8]].concat()
    };
    FIELDS.map(patch).into()
}

pub(in super::super) fn check(input: &[u8]) -> bool {
    if let Some(patches) = input.strip_prefix(PATCHES) {
        return check_patched(patches);
    }
    let mut input = input.to_vec();
    let start = input.len().min(NODE_HEADER_LEN);
    seal(&mut input[start..]);
    let is_node = check_node(&input);
    seal(&mut input);
    let is_stack = Stack::load(&mut input.as_slice()).is_some();
    if is_stack {
        let stack = Stack::load(&mut input.as_slice());
        let mut again = Vec::new();
        stack.expect("it was just read").save(&mut again);
        assert!(
            input.starts_with(&again),
            "it is another one after it was written"
        );
    }
    is_node | is_stack | check_weights(input)
}

fn check_patched(patches: &[u8]) -> bool {
    let mut state = STATE.clone();
    for patch in patches.as_chunks::<PATCH_LEN>().0 {
        let [low, high, len, by @ ..] = patch;
        let at = usize::from(u16::from_le_bytes([*low, *high])) % state.len();
        let by = &by[..usize::from(*len).min(8)];
        for (byte, by) in state[at..].iter_mut().zip(by) {
            *byte = *by;
        }
    }
    seal(&mut state);
    let loaded = Forecaster::load(Model::Ensemble, MINUTE, CAPACITY, &mut state.as_slice());
    let Some(mut forecaster) = loaded else {
        return false;
    };
    let mut again = Vec::new();
    forecaster.save(&mut again);
    assert!(again == state, "it is another one after it was written");
    // Numbers that are not above its last one are ignored.
    for number in [81, 82, 90, 143, 300, u64::MAX] {
        forecaster.observe(number, Some(5.0));
        for horizon in [1, 60] {
            let Quantiles { p50, p90, p99 } = forecaster.predict_peak(horizon);
            assert!(0.0 <= p50 && p50 <= p90 && p90 <= p99 && p99 <= CAPACITY);
        }
    }
    true
}

/// Corrects the checksums of all states.
fn seal(mut states: &mut [u8]) {
    while let Some((header, _)) = states.split_first_chunk::<STATE_HEADER_LEN>() {
        let [.., a, b, c, d] = *header;
        let body_len = u32::from_le_bytes([a, b, c, d]) as usize;
        let len = STATE_HEADER_LEN.saturating_add(body_len);
        let Some((state, rest)) = states.split_at_mut_checked(len) else {
            return;
        };
        let Some((sum, rest)) = rest.split_at_mut_checked(SUM_LEN) else {
            return;
        };
        sum.copy_from_slice(&fnv1a(state).to_le_bytes());
        states = rest;
    }
}

fn check_node(input: &[u8]) -> bool {
    let Some(mut forecast) = NodeForecast::load(&node(), PARAMS, input) else {
        return false;
    };
    if let Some(again) = forecast.save() {
        assert_eq!(again, input, "it is another one after it was written");
    }
    let last = input[4..NODE_HEADER_LEN].try_into().expect("it was read");
    let last = WallTime::from_millis(u64::from_le_bytes(last));
    for step in 1..=HEARTBEATS {
        observe(&mut forecast, last, 5 * step);
        for ahead in Ahead::all() {
            let (likely, safe) = (forecast.likely(ahead), forecast.safe(ahead));
            assert!(likely.cpu.get() <= safe.cpu.get() && safe.cpu.get() <= 4.0);
            assert!(likely.memory <= safe.memory && safe.memory <= Bytes::from_mib(4096));
        }
    }
    true
}

/// Reads a file of weights, whose hash is at its end.
fn check_weights(mut input: Vec<u8>) -> bool {
    let Some((body, hash)) = input.split_last_chunk_mut::<SUM_LEN>() else {
        return false;
    };
    *hash = fnv1a(body).to_le_bytes();
    let Ok(weights) = Weights::parse(&input) else {
        return false;
    };
    assert_eq!(weights.to_bytes(), input);
    true
}
