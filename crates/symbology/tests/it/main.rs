//! What `symbology` promises, tested through its public face.

mod codes;
mod mother_code;
