//! The machines that code is compiled for: what the compiler and the loader must know of each.

macro_rules! machines {
    ($(
        $(#[$meta:meta])*
        $name:ident = $number:literal, $text:literal, $triple:literal,
            page $page:literal, glob_dat $glob_dat:literal;
    )*) => {
        /// An instruction set.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Machine {
            $($(#[$meta])* $name,)*
        }

        impl Machine {
            /// Every machine.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its number in ELF files (`e_machine`).
            pub const fn number(self) -> u16 {
                match self {
                    $(Self::$name => $number,)*
                }
            }

            /// The machine of a number in ELF files, if it is one of these.
            pub fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Its name in messages.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The target triple, as LLVM and Cranelift have them.
            pub const fn triple(self) -> &'static str {
                match self {
                    $(Self::$name => $triple,)*
                }
            }

            /// Alignment of an image's segments, in bytes: the largest page that a kernel for it
            /// has, so that the image can be mapped under all of them.
            pub const fn page(self) -> u64 {
                match self {
                    $(Self::$name => $page,)*
                }
            }

            /// The type of the relocation that stores a symbol's address in the global offset
            /// table (`R_*_GLOB_DAT`), the only one that an image leaves to its loader.
            pub const fn glob_dat(self) -> u32 {
                match self {
                    $(Self::$name => $glob_dat,)*
                }
            }
        }
    };
}

machines! {
    /// x86-64.
    X86_64 = 62, "x86-64", "x86_64-unknown-linux-gnu", page 4096, glob_dat 6;
    /// 64-bit Arm.
    Aarch64 = 183, "aarch64", "aarch64-unknown-linux-gnu", page 65536, glob_dat 1025;
}

impl core::fmt::Display for Machine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
