//! The real scans beside the repository: 40 processed breech faces and 3 raw primers.

use std::path::{Path, PathBuf};

use topography::{Limits, x3p};

/// The folder of real scans, or nothing (said loudly) where it is absent.
pub(crate) fn folder() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::var("MICROSTAMP_REALDATA").unwrap_or_else(|_| "../shared/realdata".to_owned());
    let folder = workspace.join(folder);
    if folder.join("csafe-fadul").is_dir() {
        Some(folder)
    } else {
        eprintln!("NOT TESTED ON REAL SCANS: {} is absent (set MICROSTAMP_REALDATA)", folder.display());
        None
    }
}

pub(crate) fn scans(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "x3p"))
        .collect();
    found.sort();
    found
}

fn read(path: &Path) -> x3p::X3p {
    x3p::read(&std::fs::read(path).unwrap(), &Limits::default())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// File, columns, rows, valid points, lowest and highest height in micrometres, as another reader (surfalize 0.19.2) gives them.
const FACTS: [(&str, usize, usize, usize, f64, f64); 43] = [
    ("fadul1.1_raw.x3p", 1231, 1223, 806283, -3.021672, 177.757830),
    ("fadul1.2_raw.x3p", 1227, 1214, 822551, -2.259354, 152.643803),
    ("fadul2.1_raw.x3p", 1204, 1205, 808652, -2.138169, 192.476337),
    ("Fadul 1-1.x3p", 545, 545, 82542, -8.917172, 9.664306),
    ("Fadul 1-2.x3p", 546, 546, 89473, -10.151818, 9.725202),
    ("Fadul 10-1.x3p", 536, 536, 75555, -7.788280, 11.665969),
    ("Fadul 10-2.x3p", 540, 540, 79037, -10.308505, 10.924211),
    ("Fadul 2-1.x3p", 537, 537, 85694, -14.525386, 11.100952),
    ("Fadul 2-2.x3p", 545, 545, 91343, -12.907922, 13.951834),
    ("Fadul 3-1.x3p", 534, 534, 74685, -21.428840, 12.132461),
    ("Fadul 3-2.x3p", 539, 539, 79613, -20.451417, 9.918548),
    ("Fadul 4-1.x3p", 554, 554, 103836, -6.227362, 11.107663),
    ("Fadul 4-2.x3p", 538, 538, 85441, -9.150131, 9.969347),
    ("Fadul 5-1.x3p", 550, 550, 92349, -9.662976, 8.071408),
    ("Fadul 5-2.x3p", 546, 546, 88906, -10.974244, 8.081836),
    ("Fadul 6-1.x3p", 560, 560, 106454, -7.251239, 8.631448),
    ("Fadul 6-2.x3p", 567, 567, 112079, -13.341525, 13.085536),
    ("Fadul 7-1.x3p", 558, 558, 103345, -15.192409, 21.562906),
    ("Fadul 7-2.x3p", 552, 552, 93091, -15.805367, 7.214088),
    ("Fadul 8-1.x3p", 498, 498, 57569, -7.163290, 9.053751),
    ("Fadul 8-2.x3p", 548, 548, 99271, -27.599134, 9.393003),
    ("Fadul 9-1.x3p", 557, 557, 97950, -10.541417, 9.984572),
    ("Fadul 9-2.x3p", 540, 540, 81615, -10.080961, 10.586807),
    ("Fadul A.x3p", 537, 537, 78023, -21.210213, 9.523035),
    ("Fadul B.x3p", 539, 539, 82938, -6.914166, 12.155735),
    ("Fadul C.x3p", 579, 579, 109479, -7.604934, 10.161950),
    ("Fadul E.x3p", 553, 553, 98803, -30.094195, 15.743769),
    ("Fadul F.x3p", 540, 540, 84169, -9.727249, 11.475599),
    ("Fadul H.x3p", 560, 560, 95630, -11.103044, 9.722124),
    ("Fadul I.x3p", 572, 572, 117988, -14.914191, 12.301846),
    ("Fadul K.x3p", 560, 560, 101429, -10.987879, 11.310142),
    ("Fadul L.x3p", 547, 547, 84469, -8.536904, 13.567815),
    ("Fadul M.x3p", 528, 528, 69601, -7.691271, 12.498576),
    ("Fadul N.x3p", 522, 522, 70866, -10.999289, 9.798648),
    ("Fadul O.x3p", 536, 536, 87350, -15.082974, 12.048340),
    ("Fadul P.x3p", 547, 546, 88099, -16.897817, 7.445476),
    ("Fadul Q.x3p", 540, 539, 81635, -7.269440, 4.814206),
    ("Fadul R.x3p", 536, 536, 84842, -13.450910, 19.840342),
    ("Fadul S.x3p", 530, 530, 74921, -12.549166, 13.440607),
    ("Fadul T.x3p", 556, 556, 99921, -7.838285, 8.355433),
    ("Fadul X.x3p", 561, 561, 96692, -29.206172, 11.375098),
    ("Fadul Y.x3p", 533, 533, 89721, -18.322543, 31.583813),
    ("Fadul Z.x3p", 566, 566, 102661, -22.531035, 10.102774),
];

#[test]
fn every_real_scan_is_read_rightly() {
    let Some(folder) = folder() else { return };
    let mut paths = scans(&folder.join("cmcr-fadul-raw"));
    paths.extend(scans(&folder.join("csafe-fadul")));
    assert_eq!(paths.len(), FACTS.len());
    for (name, width, height, valid, low, high) in FACTS {
        let path = paths.iter().find(|path| path.file_name().is_some_and(|file| file == name)).unwrap();
        let scan = read(path);
        let heights = &scan.topography.heights;
        assert_eq!((heights.width(), heights.height()), (width, height), "{name}");
        assert_eq!(scan.topography.valid_points(), valid, "{name}");
        let (lowest, highest) = scan.topography.height_range().unwrap();
        assert!((lowest.to_um() - low).abs() < 1e-5 && (highest.to_um() - high).abs() < 1e-5, "{name}");
        assert_eq!(scan.warnings, Vec::<String>::new(), "{name}");
        assert_eq!(scan.instrument.as_deref(), Some("NanoFocus usurf"), "{name}");
        assert_eq!(scan.creator.as_deref(), Some("Xiaoyu Zheng"), "{name}");
    }
}

#[test]
fn real_scans_come_back_bit_for_bit() {
    let Some(folder) = folder() else { return };
    for path in [folder.join("csafe-fadul/Fadul 1-1.x3p"), folder.join("cmcr-fadul-raw/fadul2.1_raw.x3p")] {
        let scan = read(&path);
        let back = x3p::read(&x3p::write(&scan).unwrap(), &Limits::default()).unwrap();
        assert_eq!(back.z_type, scan.z_type);
        assert_eq!(back.topography.pitch, scan.topography.pitch);
        let bits = |scan: &x3p::X3p| scan.topography.heights.map(|height| height.to_bits());
        assert!(bits(&back) == bits(&scan), "{}", path.display());
    }
}
