//! X3P files made by hand, so that every oddity seen in the wild can be put into one.

use std::io::{Cursor, Write};

use md5::{Digest, Md5};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The parts of an X3P file, each of which a test may spoil.
pub(crate) struct Handmade {
    pub(crate) root: &'static str,
    pub(crate) revision: &'static str,
    pub(crate) feature: &'static str,
    pub(crate) pitch: (&'static str, &'static str),
    pub(crate) z_type: &'static str,
    pub(crate) increment: &'static str,
    pub(crate) offset: &'static str,
    pub(crate) size: (&'static str, &'static str, &'static str),
    pub(crate) data: Vec<u8>,
    pub(crate) valid: Option<Vec<u8>>,
    /// Heights inside the XML instead of `data`.
    pub(crate) list: Option<Vec<&'static str>>,
    /// More XML inside Record 3.
    pub(crate) extra: &'static str,
    /// More XML inside the axes.
    pub(crate) axes: &'static str,
    pub(crate) folder: &'static str,
    /// More entries of the zip file, put before the others.
    pub(crate) junk: Vec<(&'static str, Vec<u8>)>,
    pub(crate) document_sum: Option<&'static str>,
    pub(crate) data_sum: Option<&'static str>,
}

/// A 4 x 3 surface of 64-bit heights 0..11 µm at 6.25 µm, in perfect order.
pub(crate) fn plain() -> Handmade {
    Handmade {
        root: "p:ISO5436_2 xmlns:p=\"http://www.opengps.eu/2008/ISO5436_2\"",
        revision: "ISO5436 - 2000",
        feature: "SUR",
        pitch: ("6.25e-06", "6.25e-06"),
        z_type: "D",
        increment: "1",
        offset: "0",
        size: ("4", "3", "1"),
        data: doubles(&[0., 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11.].map(|height| height * 1e-6)),
        valid: None,
        list: None,
        extra: "",
        axes: "",
        folder: "",
        junk: Vec::new(),
        document_sum: None,
        data_sum: None,
    }
}

pub(crate) fn doubles(metres: &[f64]) -> Vec<u8> {
    metres.iter().flat_map(|height| height.to_le_bytes()).collect()
}

impl Handmade {
    pub(crate) fn xml(&self) -> String {
        let closing = self.root.split(' ').next().unwrap();
        let (x, y, z) = self.size;
        format!(
            "<?xml version=\"1.0\"?><{root}><Record1><Revision>{revision}</Revision><FeatureType>{feature}</FeatureType><Axes>\
             <CX><AxisType>I</AxisType><DataType>D</DataType><Increment>{px}</Increment><Offset>0</Offset></CX>\
             <CY><AxisType>I</AxisType><DataType>D</DataType><Increment>{py}</Increment><Offset>0</Offset></CY>\
             <CZ><AxisType>A</AxisType><DataType>{kind}</DataType><Increment>{inc}</Increment><Offset>{off}</Offset></CZ>{axes}</Axes></Record1>\
             <Record2><Date>2011-01-24T13:00:00</Date><Creator>A &amp; B</Creator><Instrument><Manufacturer>NanoFocus</Manufacturer>\
             <Model>usurf</Model><Serial>not available</Serial></Instrument></Record2>\
             <Record3><MatrixDimension><SizeX>{x}</SizeX><SizeY>{y}</SizeY><SizeZ>{z}</SizeZ></MatrixDimension>{data}{extra}</Record3>\
             <Record4><ChecksumFile>md5checksum.hex</ChecksumFile></Record4></{closing}>",
            root = self.root,
            revision = self.revision,
            feature = self.feature,
            px = self.pitch.0,
            py = self.pitch.1,
            kind = self.z_type,
            inc = self.increment,
            off = self.offset,
            axes = self.axes,
            data = self.data_xml(),
            extra = self.extra,
        )
    }

    fn data_xml(&self) -> String {
        if let Some(list) = &self.list {
            let datum = |text: &&str| {
                if text.is_empty() { "<Datum/>".to_owned() } else { format!("<Datum>{text}</Datum>") }
            };
            return format!("<DataList>{}</DataList>", list.iter().map(datum).collect::<String>());
        }
        let sum = self.data_sum.map_or_else(|| sum(&self.data), str::to_owned);
        let valid = self.valid.as_ref().map_or_else(String::new, |bits| {
            format!(
                "<ValidPointsLink>bindata/valid.bin</ValidPointsLink><MD5ChecksumValidPoints>{}</MD5ChecksumValidPoints>",
                self::sum(bits)
            )
        });
        format!(
            "<DataLink><PointDataLink>bindata/data.bin</PointDataLink><MD5ChecksumPointData>{sum}</MD5ChecksumPointData>{valid}</DataLink>"
        )
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let xml = self.xml();
        let document_sum = self.document_sum.map_or_else(|| sum(xml.as_bytes()), str::to_owned);
        let mut parts: Vec<(String, Vec<u8>)> =
            self.junk.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect();
        let inside = |name: &str| format!("{}{name}", self.folder);
        parts.push((inside("main.xml"), xml.into_bytes()));
        parts.push((inside("md5checksum.hex"), format!("{document_sum} *main.xml").into_bytes()));
        if self.list.is_none() {
            parts.push((inside("bindata/data.bin"), self.data.clone()));
        }
        if let Some(valid) = &self.valid {
            parts.push((inside("bindata/valid.bin"), valid.clone()));
        }
        zip_up(&parts)
    }
}

pub(crate) fn zip_up(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in parts {
        if name.ends_with('/') {
            archive.add_directory(name.as_str(), options).unwrap();
        } else {
            archive.start_file(name.as_str(), options).unwrap();
            archive.write_all(bytes).unwrap();
        }
    }
    archive.finish().unwrap().into_inner()
}

fn sum(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
