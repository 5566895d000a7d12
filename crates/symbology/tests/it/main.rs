//! What `symbology` promises, tested through its public face.

mod codes;
mod decoding;
mod mother_code;
