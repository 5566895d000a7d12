//! Sealing of unit numbers, so that a code tells neither how many were made nor in which order.

use aes::Aes256;
use fpe::ff1::{FF1, NumeralString, Operations};

use crate::{Code, Prefix, Symbol, UnitNumber};

/// An issuer's key, prepared for one scheme.
///
/// FF1 (NIST SP 800-38G, method FF1, AES-256) over four numerals of radix 32, whose domain of 1,048,576 is above the
/// million that SP 800-38G Rev. 1 asks for. The tweak is the name of the scheme, a colon and the prefix, for example
/// `open-1:K7`. Preparing a key costs far more than sealing one number: keep it for a whole run.
///
/// ```
/// use symbology::{SealingKey, UnitNumber};
/// let key = SealingKey::new(&[7; 32], "open-1");
/// let unit = UnitNumber::new(41)?;
/// let code = key.seal("K7".parse()?, unit);
/// assert_eq!(key.unseal(&code), unit);
/// # Ok::<(), symbology::CodeError>(())
/// ```
pub struct SealingKey {
    cipher: FF1<Aes256>,
    scheme: String,
}

impl SealingKey {
    /// Prepares a key of 32 secret bytes for the scheme of the given name.
    #[allow(clippy::missing_panics_doc, reason = "FF1 takes radix 32 and AES-256 takes 32 bytes")]
    pub fn new(key: &[u8; 32], scheme: &str) -> Self {
        let cipher = FF1::new(key, 32).expect("32 is a radix of FF1 and AES-256 takes 32 bytes");
        Self { cipher, scheme: scheme.to_owned() }
    }

    /// The code of a unit.
    #[allow(clippy::missing_panics_doc, reason = "four numerals below 32 are always in the domain")]
    pub fn seal(&self, prefix: Prefix, unit: UnitNumber) -> Code {
        let number = unit.get();
        let sealed = self
            .cipher
            .encrypt(&self.tweak(prefix), &Numerals { high: number >> 10, low: number & 1023 })
            .expect("four numerals below 32 are in the domain");
        let [first, second] = prefix.symbols();
        let numeral =
            |half: u32, shift: u32| Symbol::new(((half >> shift) & 31) as u8).expect("masked to five bits");
        let Numerals { high, low } = sealed;
        Code::new([first, second, numeral(high, 5), numeral(high, 0), numeral(low, 5), numeral(low, 0)])
    }

    /// The unit of a code that was sealed with this key; a code of another issuer gives a number without meaning.
    #[allow(clippy::missing_panics_doc, reason = "four numerals below 32 are always in the domain")]
    pub fn unseal(&self, code: &Code) -> UnitNumber {
        let [a, b, c, d] = std::array::from_fn(|i| u32::from(code.payload()[i + 2].value()));
        let opened = self
            .cipher
            .decrypt(&self.tweak(code.prefix()), &Numerals { high: a << 5 | b, low: c << 5 | d })
            .expect("four numerals below 32 are in the domain");
        UnitNumber::new(opened.high << 10 | opened.low).expect("two halves of ten bits are below 2^20")
    }

    fn tweak(&self, prefix: Prefix) -> Vec<u8> {
        format!("{}:{prefix}", self.scheme).into_bytes()
    }
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealingKey({}, secret)", self.scheme)
    }
}

/// Four numerals of radix 32 as two numbers of ten bits: no big integers, no allocation.
struct Numerals {
    high: u32,
    low: u32,
}

struct Half(u32);

impl NumeralString for Numerals {
    type Ops = Half;

    fn is_valid(&self, radix: u32) -> bool {
        radix == 32 && self.high < 1024 && self.low < 1024
    }

    fn numeral_count(&self) -> usize {
        4
    }

    fn split(&self) -> (Half, Half) {
        (Half(self.high), Half(self.low))
    }

    fn concat(a: Half, b: Half) -> Self {
        Self { high: a.0, low: b.0 }
    }
}

impl Operations for Half {
    type Bytes = [u8; 2];

    fn numeral_count(&self) -> usize {
        2
    }

    fn to_be_bytes(&self, _radix: u32, b: usize) -> [u8; 2] {
        debug_assert_eq!(b, 2, "two numerals of five bits fill two bytes");
        (self.0 as u16).to_be_bytes()
    }

    fn add_mod_exp(self, other: impl Iterator<Item = u8>, _radix: u32, _m: usize) -> Self {
        Self(self.0.wrapping_add(low_bits(other)) & 1023)
    }

    fn sub_mod_exp(self, other: impl Iterator<Item = u8>, _radix: u32, _m: usize) -> Self {
        Self(self.0.wrapping_sub(low_bits(other)) & 1023)
    }
}

/// The last 32 bits of a big-endian number: more than enough modulo 1,024.
fn low_bits(bytes: impl Iterator<Item = u8>) -> u32 {
    bytes.fold(0, |number, byte| number << 8 | u32::from(byte))
}
