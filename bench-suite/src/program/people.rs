//! Makes a file of donations like those that a committee reports: a line for each, of 21 fields
//! between bars, with the person in the eighth and the date in the fourteenth.

use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use std::fmt::Write;

/// Each file is the beginning of one that never ends.
const SEED: u64 = 2023;

const LAST: [&str; 24] = [
    "ABBOTT",
    "BECKER",
    "CASTILLO",
    "DOYLE",
    "ELLISON",
    "FARKAS",
    "GRIGORIEV",
    "HARTMANN",
    "IBSEN",
    "JANSEN",
    "KOWALSKI",
    "LINDQVIST",
    "MARCHETTI",
    "NAKAMURA",
    "OYELARAN",
    "PETROV",
    "QUINTERO",
    "ROSSI",
    "SZABO",
    "TREMBLAY",
    "URBINA",
    "VARGA",
    "WESTERBERG",
    "YILDIZ",
];
const FIRST: [&str; 16] = [
    "ADAM", "BEATRIX", "CARLO", "DIANA", "EMIL", "FLORA", "GREGOR", "HANNAH", "IGNACIO", "JULIA",
    "KARIN", "LAURA", "MIGUEL", "NORA", "OSKAR", "PAULA",
];
const CITY: [&str; 6] =
    ["ALBUQUERQUE", "BRIDGEPORT", "CHATTANOOGA", "DES MOINES", "EUGENE", "FORT WAYNE"];
const WORK: [&str; 5] = [
    "COUNTY SCHOOL DISTRICT NUMBER 7|TEACHER OF MATHEMATICS",
    "NOT EMPLOYED|RETIRED FROM PUBLIC SERVICE",
    "REGIONAL MEMORIAL HOSPITAL|REGISTERED NURSE PRACTITIONER",
    "SELF-EMPLOYED|ARCHITECT AND TOWN PLANNER",
    "WESTERN FREIGHT RAILWAY COMPANY|LOCOMOTIVE ENGINEER",
];

/// The file of so many lines, of about 200 bytes each.
pub fn people(lines: u32) -> String {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut text = String::new();
    for line in 0..lines {
        let mut of = |list: &[&'static str]| *list.choose(&mut random).expect("no list is empty");
        let (last, first, city, work) = (of(&LAST), of(&FIRST), of(&CITY), of(&WORK));
        let middle = char::from(b'A' + random.random_range(0..26));
        let (month, day) = (random.random_range(1..=12), random.random_range(1..=28));
        let amount = random.random_range(1..=500) * 5;
        let zip = random.random_range(10_000_000..100_000_000);
        let number = 2_017_000_000 + u64::from(line);
        writeln!(
            text,
            "C00629618|N|TER|P|{number}|15C|IND|{last}, {first} {middle}|{city}|NM|{zip:09}|{work}|\
             {month:02}{day:02}2017|{amount}|C00401224|SA11AI.{line}|{filing}||CONTRIBUTION BY CARD|{number}",
            filing = 1_147_467 + line / 1000,
        )
        .expect("a text takes what is written to it");
    }
    text
}
