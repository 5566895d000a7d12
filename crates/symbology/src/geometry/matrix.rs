//! A Data Matrix (ISO/IEC 16022, ECC 200) whose code words are the symbols.
//!
//! Each symbol is one ASCII code word `64 + value` (the characters `?` to `^`, among which no two digits can be
//! packed into one), so that its five modules lie at known places and can be read one by one through the mother code even where
//! the error correction of the Data Matrix fails. Padding and that error correction follow the standard, so that any
//! Data Matrix reader reads the whole.

use datamatrix::data::DataEncodingError;
use datamatrix::placement::MatrixMap;
use datamatrix::{DataMatrix, DataMatrixBuilder, EncodationType, SymbolList, SymbolSize};

use super::{Element, MarkLayout, Point, place_of_bits};
use crate::scheme_file::MatrixGrid;
use crate::{Mark, Scheme};

const BITS: usize = 5;
/// The upper three bits of every code word.
const CODEWORD: u8 = 64;

pub(super) fn layout(scheme: &Scheme, grid: &MatrixGrid) -> MarkLayout {
    let symbol = encode(&vec![0; grid.symbols]);
    let size = size_of(&symbol);
    let fixed_words = fixed_codewords(&symbol, grid.symbols);
    let empty = modules(&vec![0; symbol.codewords().len()], size);
    let fixed = modules(&fixed_words, size);
    let places = (0..grid.symbols)
        .map(|at| {
            let index = grid.first + at;
            let drawn = (0..BITS)
                .map(|k| {
                    let mut words = vec![0; symbol.codewords().len()];
                    words[at] = 1 << (BITS - 1 - k);
                    let one = modules(&words, size);
                    [Vec::new(), one.into_iter().filter(|module| !empty.contains(module)).collect()]
                })
                .collect();
            place_of_bits(index, drawn, scheme.whitening(index))
        })
        .collect();
    let mut corrected = vec![0; symbol.codewords().len()];
    corrected[symbol.data_codewords().len()..].fill(u8::MAX);
    let checks = modules(&corrected, size).into_iter().filter(|module| !empty.contains(module)).collect();
    let extent = symbol.bitmap().width() as f64 / 2.0 * std::f64::consts::SQRT_2;
    MarkLayout { mark: Mark::Matrix, places, fixed, checks, extent }
}

/// The modules of the Data Matrix's own error correction, which depend on all symbols together.
pub(super) fn corrections(scheme: &Scheme, grid: &MatrixGrid, word: &[u8]) -> Vec<Element> {
    let drawn: Vec<u8> = (grid.first..grid.first + grid.symbols)
        .map(|i| (word.get(i).copied().unwrap_or(0) ^ scheme.whitening(i)) & 31)
        .collect();
    let symbol = encode(&drawn);
    let size = size_of(&symbol);
    let mut words = symbol.codewords().to_vec();
    words[..symbol.data_codewords().len()].fill(0);
    let empty = modules(&vec![0; words.len()], size);
    modules(&words, size).into_iter().filter(|module| !empty.contains(module)).collect()
}

fn encode(values: &[u8]) -> DataMatrix {
    let text: Vec<u8> = values.iter().map(|value| CODEWORD - 1 + value).collect();
    let encoded: Result<DataMatrix, DataEncodingError> = DataMatrixBuilder::new()
        .with_encodation_types(EncodationType::Ascii)
        .with_symbol_list(SymbolList::default().enforce_square())
        .encode(&text);
    encoded.expect("at most 31 ASCII characters fit a square Data Matrix")
}

fn size_of(symbol: &DataMatrix) -> SymbolSize {
    symbol.size
}

/// What does not depend on the symbols: the upper bits of their code words, and the padding.
fn fixed_codewords(symbol: &DataMatrix, symbols: usize) -> Vec<u8> {
    let mut words = symbol.codewords().to_vec();
    words[..symbols].fill(CODEWORD);
    words[symbol.data_codewords().len()..].fill(0);
    words
}

/// The dark modules of a symbol with the given code words, the origin in the middle.
fn modules(codewords: &[u8], size: SymbolSize) -> Vec<Element> {
    let bitmap = MatrixMap::new_with_codewords(codewords, size).bitmap();
    let half = (bitmap.width() as f64 - 1.0) / 2.0;
    bitmap
        .pixels()
        .map(|(x, y)| Element::Square { centre: Point { x: x as f64 - half, y: y as f64 - half }, side: 1.0 })
        .collect()
}
