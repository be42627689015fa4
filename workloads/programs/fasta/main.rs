//! Writes three DNA sequences of the Benchmarks Game's fasta: one repeats a text, two are drawn by a
//! generator of random numbers through a table of all of its values.

use std::{
    env,
    io::{self, Write},
};

const LINE: usize = 60;
/// Lines in one write.
const LINES: usize = 100;

const MODULUS: u32 = 139_968;
const MULTIPLIER: u32 = 3877;
const INCREMENT: u32 = 29_573;
const SEED: u32 = 42;

const ALU: &[u8] = b"GGCCGGGCGCGGTGGCTCACGCCTGTAATCCCAGCACTTTGG\
    GAGGCCGAGGCGGGCGGATCACCTGAGGTCAGGAGTTCGAGA\
    CCAGCCTGGCCAACATGGTGAAACCCCGTCTCTACTAAAAAT\
    ACAAAAATTAGCCGGGCGTGGTGGCGCGCGCCTGTAATCCCA\
    GCTACTCGGGAGGCTGAGGCAGGAGAATCGCTTGAACCCGGG\
    AGGCGGAGGTTGCAGTGAGCCGAGATCGCGCCACTGCACTCC\
    AGCCTGGGCGACAGAGCGAGACTCCGTCTCAAAAA";

const IUB: [(u8, f64); 15] = [
    (b'a', 0.27),
    (b'c', 0.12),
    (b'g', 0.12),
    (b't', 0.27),
    (b'B', 0.02),
    (b'D', 0.02),
    (b'H', 0.02),
    (b'K', 0.02),
    (b'M', 0.02),
    (b'N', 0.02),
    (b'R', 0.02),
    (b'S', 0.02),
    (b'V', 0.02),
    (b'W', 0.02),
    (b'Y', 0.02),
];

const HOMO_SAPIENS: [(u8, f64); 4] = [
    (b'a', 0.3029549426680),
    (b'c', 0.1979883004921),
    (b'g', 0.1975473066391),
    (b't', 0.3015094502008),
];

fn main() -> io::Result<()> {
    let n = env::args().nth(1).and_then(|number| number.parse().ok()).unwrap_or(1000);
    let mut out = io::stdout().lock();
    out.write_all(b">ONE Homo sapiens alu\n")?;
    repeat(&mut out, 2 * n)?;
    let mut last = SEED;
    out.write_all(b">TWO IUB ambiguity codes\n")?;
    random(&mut out, &IUB, &mut last, 3 * n)?;
    out.write_all(b">THREE Homo sapiens frequency\n")?;
    random(&mut out, &HOMO_SAPIENS, &mut last, 5 * n)
}

fn repeat(out: &mut impl Write, count: usize) -> io::Result<()> {
    // Whole lines of the text, until they begin at its first letter again.
    let mut buffer = [b'\n'; ALU.len() * (LINE + 1)];
    let mut letters = ALU.iter().cycle();
    for line in buffer.chunks_mut(LINE + 1) {
        line[..LINE].fill_with(|| *letters.next().expect("a cycle has no end"));
    }
    send(out, &mut buffer, count, |_| {})
}

fn random(
    out: &mut impl Write,
    letters: &[(u8, f64)],
    last: &mut u32,
    count: usize,
) -> io::Result<()> {
    let lookup = lookup(letters);
    send(out, &mut [b'\n'; LINES * (LINE + 1)], count, |line| {
        line.fill_with(|| {
            *last = (*last * MULTIPLIER + INCREMENT) % MODULUS;
            lookup[*last as usize]
        });
    })
}

/// The letter of each value of the generator.
fn lookup(letters: &[(u8, f64)]) -> Vec<u8> {
    let (mut at, mut sum) = (0, letters[0].1);
    let of = |value| {
        while at < letters.len() - 1 && f64::from(value) / f64::from(MODULUS) >= sum {
            at += 1;
            sum += letters[at].1;
        }
        letters[at].0
    };
    (0..MODULUS).map(of).collect()
}

/// Writes `count` letters in lines, a whole buffer at a time, after `fill` has made each line.
fn send(
    out: &mut impl Write,
    buffer: &mut [u8],
    mut count: usize,
    mut fill: impl FnMut(&mut [u8]),
) -> io::Result<()> {
    while count > 0 {
        let mut len = 0;
        while len < buffer.len() && count > 0 {
            let letters = count.min(LINE);
            fill(&mut buffer[len..len + letters]);
            buffer[len + letters] = b'\n';
            len += letters + 1;
            count -= letters;
        }
        out.write_all(&buffer[..len])?;
    }
    Ok(())
}
