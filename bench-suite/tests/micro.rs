//! Where the expected outputs of `workloads/micro` come from: the same arithmetic in Rust. The
//! modules themselves are run by `workloads.rs`.

use lithify_bench::Manifest;
use lithify_polkadot::parse_hex;
use std::path::Path;

const MICRO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../workloads/micro");

#[test]
fn the_manifest_expects_what_arithmetic_says() {
    let manifest = Manifest::read(Path::new(MICRO)).unwrap_or_else(|e| panic!("{e:#}"));
    assert_eq!(manifest.modules.len(), manifest.calls.len(), "one call a module");
    for call in &manifest.calls {
        let module = call.module.as_deref().expect("each module has its own call");
        let bytes =
            |text: &Option<String>| parse_hex(text.as_deref().expect(module)).expect(module);
        let n = u32::from_le_bytes(bytes(&call.input).try_into().expect("four bytes"));
        let output = expected(module, n).to_le_bytes();
        let text = output.iter().fold(String::from("0x"), |text, b| text + &format!("{b:02x}"));
        assert_eq!(bytes(&call.output), output, "{module}: {text}");
    }
}

fn expected(module: &str, n: u32) -> u64 {
    let fold = |start: u32, step: fn(u32, u32) -> u32| u64::from((0..n).fold(start, step));
    match module {
        "host-call" => fold(0, u32::wrapping_add),
        "call" => fold(1, |x, i| x.wrapping_add(i ^ 0x5bd1_e995)),
        "call-indirect-same" => fold(1, |x, i| x.wrapping_add(i).wrapping_add(0x9e37_79b9)),
        "call-indirect" => fold(1, |x, i| {
            let y = x.wrapping_add(i);
            match x & 3 {
                0 => y.wrapping_add(0x9e37_79b9),
                1 => y.wrapping_mul(1_664_525),
                2 => y ^ 0x5bd1_e995,
                _ => y.rotate_left(7),
            }
        }),
        "loads" => fold(0, |x, i| {
            let word = (i.wrapping_mul(68) & 0xfffc) / 4;
            x.wrapping_add(word.wrapping_mul(0x9e37_79b1))
        }),
        "stores" => {
            let mut memory = vec![0; 1 << 16];
            for i in 0..n {
                let at = (i.wrapping_mul(68) & 0xfffc) as usize;
                memory[at..at + 4].copy_from_slice(&i.to_le_bytes());
            }
            sum(&memory)
        }
        "memory-grow" => fold(0, |x, i| x.wrapping_add(1 + i)),
        "float" => {
            let step = |f: f64, i| (f * 1.25 + f64::from(i) / (f + 0.5)).sqrt();
            (0..n).fold(1.0, step).to_bits()
        }
        "i64" => (0..n).fold(1u64, |y, _| {
            let y = y ^ (y >> 12);
            let y = y ^ (y << 25);
            (y ^ (y >> 27)).wrapping_mul(0x2545_f491_4f6c_dd1d)
        }),
        "br-table" => fold(1, |x, i| {
            let x = match (x >> 5) & 7 {
                0 => x.wrapping_add(0x9e37_79b9),
                1 => x.wrapping_mul(1_664_525),
                2 => x ^ 0x5bd1_e995,
                3 => x.rotate_left(7),
                4 => x.wrapping_sub(12345),
                5 => x.rotate_left(13),
                6 => !x,
                _ => x.wrapping_mul(5).wrapping_add(1),
            };
            x.wrapping_add(i)
        }),
        "recursion" => fold(1, |x, _| down(500, x)),
        "fib" => (0..n).fold((0, 1), |(x, y), _| (y, x + y)).0,
        "checksum" => {
            let (mut a, mut b) = (1u32, 0u32);
            for _ in 0..n {
                for i in 0..4096u32 {
                    a += (i * i) & 0xff;
                    b = b.wrapping_add(a);
                }
                (a, b) = (a % 65_521, b % 65_521);
            }
            u64::from(b << 16 | a)
        }
        "bulk-memory" => {
            let mut memory = vec![0; 1 << 16];
            for i in 0..n {
                let at = |factor: u32| (i.wrapping_mul(factor) & 0x7fff) as usize;
                memory[at(640)..at(640) + 256].fill(i as u8);
                memory.copy_within(at(352)..at(352) + 4096, at(1056));
            }
            sum(&memory)
        }
        other => panic!("nobody says what {other} gives"),
    }
}

fn down(depth: u32, x: u32) -> u32 {
    match depth {
        0 => x,
        _ => down(depth - 1, x.wrapping_mul(1_664_525)).rotate_left(1).wrapping_add(depth),
    }
}

fn sum(memory: &[u8]) -> u64 {
    let words = memory.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
    u64::from(words.fold(0u32, |x, word| x.rotate_left(1).wrapping_add(word)))
}
