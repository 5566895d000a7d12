//! PNG, TIFF, JPEG and BMP.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat};
use proptest::prelude::*;
use topography::picture::{self, Depth, HeightScale, PitchSource};
use topography::{FileError, Grid, Length, Limits, Micrograph, Pitch, Topography};

fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// 16 x 9, left to right from dark to light.
fn grey() -> DynamicImage {
    DynamicImage::ImageLuma8(image::GrayImage::from_fn(16, 9, |x, _| image::Luma([x as u8 * 17])))
}

fn read(bytes: &[u8]) -> picture::Picture {
    picture::read(bytes, &Limits::default()).unwrap()
}

fn ramp() -> Micrograph {
    let intensity = Grid::from_fn(16, 9, |x, _| x as f32 / 15.0);
    Micrograph { intensity, pitch: Some(Pitch { x: Length::um(2.0), y: Length::um(2.5) }) }
}

fn farthest(one: &Grid<f32>, other: &Grid<f32>) -> f32 {
    one.samples().iter().zip(other.samples()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_format_gives_the_same_grey() {
    let formats = [
        (ImageFormat::Png, 1e-6),
        (ImageFormat::Tiff, 1e-6),
        (ImageFormat::Bmp, 1e-6),
        (ImageFormat::Jpeg, 0.1),
    ];
    let kinds = [
        grey(),
        DynamicImage::ImageRgb8(grey().to_rgb8()),
        DynamicImage::ImageLuma16(grey().to_luma16()),
        DynamicImage::ImageRgba8(grey().to_rgba8()),
        DynamicImage::ImageRgba16(grey().to_rgba16()),
        DynamicImage::ImageLumaA8(grey().to_luma_alpha8()),
        DynamicImage::ImageRgb16(grey().to_rgb16()),
    ];
    for (format, tolerance) in formats {
        let mut tried = 0;
        for kind in &kinds {
            let mut bytes = Cursor::new(Vec::new());
            if kind.write_to(&mut bytes, format).is_err() {
                continue; // This format cannot hold this kind of picture.
            }
            let back = read(&bytes.into_inner());
            assert!(
                farthest(&back.micrograph.intensity, &ramp().intensity) <= tolerance,
                "{format:?} {:?}",
                kind.color()
            );
            tried += 1;
        }
        assert!(tried >= 2, "{format:?} was tried with {tried} kinds");
    }
}

#[test]
fn colours_become_luminance_and_transparency_black() {
    let pixels =
        [[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255], [255, 255, 255, 0], [255, 255, 255, 51]];
    let picture = image::RgbaImage::from_fn(5, 1, |x, _| image::Rgba(pixels[x as usize]));
    let expected = [0.2126, 0.7152, 0.0722, 0.0, 0.2];
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let back = read(&encode(&DynamicImage::ImageRgba8(picture.clone()), format));
        for (seen, wanted) in back.micrograph.intensity.samples().iter().zip(expected) {
            assert!((seen - wanted).abs() < 1e-3, "{seen} for {wanted} in {format:?}");
        }
    }
}

#[test]
fn what_is_written_comes_back_with_its_pitch() {
    let cases: [(Vec<u8>, f32, PitchSource); 3] = [
        (picture::write_png(&ramp(), Depth::Eight).unwrap(), 0.003, PitchSource::Png),
        (picture::write_png(&ramp(), Depth::Sixteen).unwrap(), 1e-5, PitchSource::Png),
        (picture::write_tiff(&ramp()).unwrap(), 1e-5, PitchSource::Tiff),
    ];
    for (bytes, tolerance, source) in cases {
        let back = read(&bytes);
        assert!(farthest(&back.micrograph.intensity, &ramp().intensity) <= tolerance);
        assert_eq!(back.pitch_source, Some(source));
        let pitch = back.micrograph.pitch.unwrap();
        assert!((pitch.x.to_um() - 2.0).abs() < 1e-6 && (pitch.y.to_um() - 2.5).abs() < 1e-6);
        assert!(back.warnings.is_empty());
    }
    let unscaled = Micrograph { pitch: None, ..ramp() };
    assert_eq!(read(&picture::write_png(&unscaled, Depth::Eight).unwrap()).micrograph.pitch, None);
}

#[test]
fn a_printers_resolution_is_no_pitch() {
    let mut bytes = encode(&grey(), ImageFormat::Jpeg);
    let at = bytes.windows(5).position(|window| window == b"JFIF\0").unwrap() + 7;
    bytes[at..at + 5].copy_from_slice(&[1, 0, 72, 0, 72]);
    let back = read(&bytes);
    assert_eq!((back.micrograph.pitch, back.pitch_source), (None, None));
    assert!(back.warnings[0].contains("72 dots per inch"));
    // 5,080 dots a centimetre.
    bytes[at..at + 5].copy_from_slice(&[2, 0x13, 0xd8, 0x13, 0xd8]);
    let back = read(&bytes);
    assert_eq!(back.pitch_source, Some(PitchSource::Jpeg));
    assert!((back.micrograph.pitch.unwrap().x.to_um() - 10_000.0 / 5_080.0).abs() < 1e-9);
}

#[test]
fn heights_survive_a_floating_point_tiff() {
    let heights =
        Grid::from_fn(20, 10, |x, y| if x == y { f64::NAN } else { f64::from(x as f32 * 1.25 - 300.0) });
    let topography = Topography { heights, pitch: Pitch::square(Length::um(3.125)) };
    let bytes = picture::write_heights(&topography).unwrap();
    let scale = HeightScale { step: Length::um(1.0), pitch: None };
    let back = picture::read_heights(&bytes, &Limits::default(), &scale).unwrap();
    assert_eq!(back.pitch, topography.pitch);
    assert_eq!(back.valid_points(), topography.valid_points());
    assert_eq!(back.heights[(7, 2)], topography.heights[(7, 2)]);
    // As a picture it is stretched, with a word about it.
    let seen = read(&bytes);
    assert!(seen.warnings[0].contains("stretched"));
}

#[test]
fn whole_numbers_are_heights_when_told() {
    let levels = image::ImageBuffer::from_fn(6, 4, |x, y| image::Luma([(x * 1000 + y) as u16]));
    let pitch = Pitch::square(Length::um(1.5));
    let scale = HeightScale { step: Length::nm(2.0), pitch: Some(pitch) };
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let bytes = encode(&DynamicImage::ImageLuma16(levels.clone()), format);
        let topography = picture::read_heights(&bytes, &Limits::default(), &scale).unwrap();
        assert!((topography.heights[(5, 3)] - 5003.0 * 2e-3).abs() < 1e-9);
        assert_eq!(topography.pitch, pitch);
        let without = HeightScale { pitch: None, ..scale };
        assert!(matches!(
            picture::read_heights(&bytes, &Limits::default(), &without),
            Err(FileError::Parameter(_))
        ));
    }
    let colour = encode(&DynamicImage::ImageRgb8(grey().to_rgb8()), ImageFormat::Png);
    assert!(matches!(
        picture::read_heights(&colour, &Limits::default(), &scale),
        Err(FileError::Unsupported(_))
    ));
}

#[test]
fn what_is_no_picture_is_refused_in_one_sentence() {
    let cases: [&[u8]; 6] =
        [b"", b"hello", b"GIF89a\x01\0\x01\0", b"\x89PNG\r\n\x1a\n", b"II*\0\x08\0\0\0", b"BM"];
    for bytes in cases {
        let text = picture::read(bytes, &Limits::default()).unwrap_err().to_string();
        assert!(!text.is_empty() && !text.contains('\n') && !text.ends_with('.'), "{text}");
    }
    for format in [ImageFormat::Png, ImageFormat::Tiff, ImageFormat::Bmp] {
        let whole = encode(&grey(), format);
        for kept in 0..whole.len() / 2 {
            assert!(picture::read(&whole[..kept], &Limits::default()).is_err(), "{kept} bytes of {format:?}");
        }
    }
}

#[test]
fn absurd_sizes_are_refused_before_memory_is_asked_for() {
    let mut png = encode(&grey(), ImageFormat::Png);
    png[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
    let limits = Limits::default();
    assert!(picture::read(&png, &limits).is_err());
    let mut bmp = encode(&grey(), ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
    assert!(picture::read(&bmp, &limits).is_err());
    let whole = encode(&grey(), ImageFormat::Tiff);
    for limits in
        [Limits { side: 15, ..limits }, Limits { samples: 100, ..limits }, Limits { file_bytes: 9, ..limits }]
    {
        assert!(matches!(picture::read(&whole, &limits), Err(FileError::Limit { .. })));
    }
}

proptest! {
    #[test]
    fn any_bytes_end_in_an_answer(noise in prop::collection::vec(any::<u8>(), 0..300), at in 0_usize..300, kind in 0..4) {
        let format = [ImageFormat::Png, ImageFormat::Tiff, ImageFormat::Bmp, ImageFormat::Jpeg][kind as usize];
        let mut bytes = encode(&grey(), format);
        for (place, byte) in noise.iter().take(6).enumerate() {
            let length = bytes.len();
            bytes[(at + 41 * place) % length] = *byte;
        }
        let limits = Limits { samples: 1 << 20, unpacked_bytes: 1 << 24, ..Limits::default() };
        let _ = picture::read(&bytes, &limits);
        let _ = picture::read_heights(&bytes, &limits, &HeightScale { step: Length::um(1.0), pitch: None });
        let _ = picture::read(&noise, &limits);
    }
}

#[test]
fn a_cut_jpeg_is_refused_not_filled_with_grey() {
    let bytes = encode(&grey(), ImageFormat::Jpeg);
    for kept in [bytes.len() - 2, bytes.len() * 3 / 4] {
        let refusal = picture::read(&bytes[..kept], &Limits::default()).unwrap_err();
        assert!(refusal.to_string().contains("damaged"), "{refusal}");
    }
}
