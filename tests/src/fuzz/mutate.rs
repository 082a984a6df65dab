//! Mutations: inputs that are almost valid.

use fastrand::Rng;

/// The longest input that a mutation makes.
const LEN_MAX: usize = 256 * 1024;
/// Changes to one input: most often one or two, so that most of it stays readable.
const CHANGES_MAX: u32 = 6;
/// Numbers at which counters and lengths break.
const ODD: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    1 << 53,
    u64::MAX - 1,
    u64::MAX,
];
/// Bits of numbers that are not finite, or hardly.
const ODD_FLOATS: [f64; 6] = [
    f64::NAN,
    f64::INFINITY,
    -1.0,
    1e300,
    f64::MIN_POSITIVE,
    -0.0,
];
/// Pieces of text with a meaning in some format.
const WORDS: [&str; 28] = [
    ".",
    "*",
    ">",
    "$JS.ACK.",
    "rolecast.",
    ",",
    "=",
    "\"",
    "{",
    "}",
    "[",
    "]",
    "\n",
    "\r\n",
    ":",
    "null",
    "-1",
    "0",
    "1e999",
    "18446744073709551616",
    "9007199254740993",
    "4294967296",
    "NaN",
    "\u{0}",
    "\u{1b}[2J",
    "\u{fc}",
    "9999-12-31T23:59:59Z",
    "366d",
];

/// Returns a mutation of one of the inputs, sometimes with a part of another.
///
/// # Panics
///
/// If there are no inputs.
pub fn mutate(rng: &mut Rng, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut input = pick(rng, inputs).clone();
    let mut changes = 1;
    while changes < CHANGES_MAX && rng.bool() {
        changes += 1;
    }
    for _ in 0..changes {
        change(rng, &mut input, inputs);
    }
    input.truncate(LEN_MAX);
    input
}

fn pick<'a, T>(rng: &mut Rng, items: &'a [T]) -> &'a T {
    &items[rng.usize(..items.len())]
}

fn change(rng: &mut Rng, input: &mut Vec<u8>, inputs: &[Vec<u8>]) {
    if input.is_empty() {
        input.push(rng.u8(..));
        return;
    }
    let at = rng.usize(..input.len());
    match rng.u8(..11) {
        0 => input[at] ^= 1 << rng.u8(..8),
        1 => input[at] = rng.u8(..),
        2 => overwrite(input, at, &odd(rng)),
        3 => input.insert(at, rng.u8(..)),
        4 => {
            input.drain(at..end(rng, input, at));
        }
        5 => {
            let part = input[at..end(rng, input, at)].to_vec();
            insert(input, at, &part);
        }
        6 => {
            // Often enough for a list to become longer than it may be.
            let part = input[at..end(rng, input, at)].to_vec();
            let count = 1 << rng.u8(..12);
            insert(
                input,
                at,
                &part.repeat(count.min(LEN_MAX / part.len().max(1))),
            );
        }
        7 => insert(input, at, pick(rng, &WORDS).as_bytes()),
        8 => overwrite(input, at, pick(rng, &WORDS).as_bytes()),
        9 => {
            let other = pick(rng, inputs);
            let from = rng.usize(..=other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => input.truncate(at),
    }
}

/// Returns the end of a part that begins here: it is short more often than long.
fn end(rng: &mut Rng, input: &[u8], at: usize) -> usize {
    let longest = input.len() - at;
    let len = match rng.u8(..4) {
        0 => longest,
        1 => 64,
        _ => 8,
    };
    at + rng.usize(..=len.min(longest))
}

/// Returns an odd number in one of the forms that numbers have on the wire or in a file.
fn odd(rng: &mut Rng) -> Vec<u8> {
    let number = *pick(rng, &ODD);
    let width = *pick(rng, &[1, 2, 4, 8]);
    match rng.u8(..4) {
        0 => number.to_le_bytes()[..width].to_vec(),
        1 => number.to_be_bytes()[8 - width..].to_vec(),
        2 => number.to_string().into_bytes(),
        _ => {
            let float = *pick(rng, &ODD_FLOATS);
            #[allow(clippy::cast_possible_truncation, reason = "infinite is odd too")]
            let single = float as f32;
            match rng.u8(..4) {
                0 => float.to_le_bytes().to_vec(),
                1 => float.to_be_bytes().to_vec(),
                2 => single.to_le_bytes().to_vec(),
                _ => single.to_be_bytes().to_vec(),
            }
        }
    }
}

fn overwrite(input: &mut [u8], at: usize, by: &[u8]) {
    for (byte, by) in input[at..].iter_mut().zip(by) {
        *byte = *by;
    }
}

fn insert(input: &mut Vec<u8>, at: usize, part: &[u8]) {
    let rest = input.split_off(at);
    input.extend_from_slice(part);
    input.extend(rest);
}
