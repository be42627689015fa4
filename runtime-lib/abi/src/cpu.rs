//! CPU features that compiled code may rely on, and the levels that group them.

macro_rules! features {
    ($($name:ident = $bit:literal, $text:literal;)*) => {
        /// One optional CPU feature of x86-64. (For aarch64 only the base architecture is used.)
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum CpuFeature {
            $(#[doc = $text] $name = $bit,)*
        }

        impl CpuFeature {
            /// Every feature.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name that `/proc/cpuinfo`, rustc and Cranelift (`has_NAME`) use.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// Its bit in the descriptor's feature set.
            pub const fn bit(self) -> u64 {
                1 << self as u64
            }
        }
    };
}

features! {
    Sse3 = 0, "sse3";
    Ssse3 = 1, "ssse3";
    Sse41 = 2, "sse41";
    Sse42 = 3, "sse42";
    Popcnt = 4, "popcnt";
    Avx = 5, "avx";
    Avx2 = 6, "avx2";
    Fma = 7, "fma";
    Bmi1 = 8, "bmi1";
    Bmi2 = 9, "bmi2";
    Lzcnt = 10, "lzcnt";
}

/// Features of the x86-64-v2 level.
pub const X86_64_V2: u64 = CpuFeature::Sse3.bit()
    | CpuFeature::Ssse3.bit()
    | CpuFeature::Sse41.bit()
    | CpuFeature::Sse42.bit()
    | CpuFeature::Popcnt.bit();

/// Features of the x86-64-v3 level.
pub const X86_64_V3: u64 = X86_64_V2
    | CpuFeature::Avx.bit()
    | CpuFeature::Avx2.bit()
    | CpuFeature::Fma.bit()
    | CpuFeature::Bmi1.bit()
    | CpuFeature::Bmi2.bit()
    | CpuFeature::Lzcnt.bit();
