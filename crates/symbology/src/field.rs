//! Arithmetic of GF(32), the field of the mother code.
//!
//! Elements are the integers 0..32 read as polynomials over GF(2) of degree below five, reduced by
//! `x^5 + x^2 + 1`; `2` (the polynomial `x`) generates all 31 non-zero elements.

/// The number of elements that are not zero, which is also the length of the mother code.
pub(crate) const ORDER: usize = 31;

const POLYNOMIAL: u8 = 0b10_0101;

static TABLES: Tables = Tables::new();

struct Tables {
    exp: [u8; 2 * ORDER],
    log: [u8; ORDER + 1],
}

impl Tables {
    const fn new() -> Self {
        let mut exp = [0; 2 * ORDER];
        let mut log = [0; ORDER + 1];
        let mut element = 1;
        let mut power = 0;
        while power < ORDER {
            exp[power] = element;
            exp[power + ORDER] = element;
            log[element as usize] = power as u8;
            element <<= 1;
            if element & 0b10_0000 != 0 {
                element ^= POLYNOMIAL;
            }
            power += 1;
        }
        Self { exp, log }
    }
}

/// `2` to the given power.
pub(crate) fn exp(power: usize) -> u8 {
    TABLES.exp[power % ORDER]
}

/// The product of two elements.
pub(crate) fn mul(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        0
    } else {
        TABLES.exp[usize::from(TABLES.log[usize::from(a)]) + usize::from(TABLES.log[usize::from(b)])]
    }
}

/// The inverse of an element that is not zero.
pub(crate) fn inverse(a: u8) -> u8 {
    debug_assert!(a != 0, "zero has no inverse");
    TABLES.exp[ORDER - usize::from(TABLES.log[usize::from(a)])]
}

/// The value of a polynomial (lowest coefficient first) at `x`.
pub(crate) fn evaluate(coefficients: &[u8], x: u8) -> u8 {
    coefficients.iter().rev().fold(0, |sum, &c| mul(sum, x) ^ c)
}
