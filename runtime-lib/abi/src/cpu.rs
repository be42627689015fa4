//! CPU features that compiled code may rely on, and the levels that group them.
//!
//! The table is a macro, [`for_each_cpu_feature!`](crate::for_each_cpu_feature), since the names by
//! which the standard library detects features must be literals where it is asked for them.

/// Hands the table of CPU features to the macro `$visit`: name, bit in the descriptor's set, name in
/// `/proc/cpuinfo`, rustc and Cranelift, name in `is_x86_feature_detected!`.
#[macro_export]
macro_rules! for_each_cpu_feature {
    ($visit:ident) => {
        $visit! {
            Sse3 = 0, "sse3", "sse3";
            Ssse3 = 1, "ssse3", "ssse3";
            Sse41 = 2, "sse41", "sse4.1";
            Sse42 = 3, "sse42", "sse4.2";
            Popcnt = 4, "popcnt", "popcnt";
            Avx = 5, "avx", "avx";
            Avx2 = 6, "avx2", "avx2";
            Fma = 7, "fma", "fma";
            Bmi1 = 8, "bmi1", "bmi1";
            Bmi2 = 9, "bmi2", "bmi2";
            Lzcnt = 10, "lzcnt", "lzcnt";
        }
    };
}

macro_rules! features {
    ($($name:ident = $bit:literal, $text:literal, $detected:literal;)*) => {
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

for_each_cpu_feature!(features);

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
