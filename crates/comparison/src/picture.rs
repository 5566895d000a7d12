//! A page that shows a comparison: both surfaces side by side, the cells in register, their correlation, the alignment.
//!
//! One self-contained HTML page, a pure function of its inputs: heights travel as grey values, a few lines of script draw
//! them. Nothing is loaded from anywhere.

use std::fmt::Write as _;

use crate::compare::Comparison;
use crate::evidence::{LikelihoodRatio, verbal};
use crate::raster::Raster;
use crate::surface::Surface;

/// Heights of this many standard deviations are black and white.
const CONTRAST: f32 = 2.5;

/// The page for a comparison of two named surfaces.
pub fn page(
    surfaces: [(&str, &Surface); 2],
    comparison: &Comparison,
    ratio: Option<&LikelihoodRatio>,
) -> String {
    let [(one, a), (other, b)] = surfaces;
    let mut page = String::from(HEAD);
    let _ = write!(page, "<h1>{} against {}</h1>", escaped(one), escaped(other));
    page.push_str(&facts(comparison, ratio));
    page.push_str(FIGURES);
    let _ = write!(
        page,
        "<script>const A={},B={},cells={},turn={},shift=[{},{}];",
        image(a),
        image(b),
        cells(comparison),
        comparison.rotation.to_radians(),
        comparison.shift.0.to_um(),
        comparison.shift.1.to_um()
    );
    page.push_str(SCRIPT);
    page.push_str("</script></body></html>\n");
    page
}

fn facts(comparison: &Comparison, ratio: Option<&LikelihoodRatio>) -> String {
    let cmc = &comparison.cmc;
    let mut rows = vec![
        (
            "Congruent cells (convergence)",
            format!("{} of {}", comparison.congruent(), comparison.joint_cells()),
        ),
        ("Original, both directions", format!("{} and {}", cmc.original[0], cmc.original[1])),
        ("High", cmc.high.to_string()),
        ("Congruent area (NCMA)", format!("{:.1} %", 100.0 * cmc.ncma)),
        ("Whole surface (ACCF)", format!("{:.3}", comparison.accf_max)),
        ("Turn", format!("{:.2}°", comparison.rotation.to_degrees())),
        ("Preset", comparison.preset.name.to_owned()),
    ];
    if let Some(ratio) = ratio {
        let [low, high] = ratio.interval_log10;
        let bounded = if ratio.bounded { ", at the bound of the reference set" } else { "" };
        rows.push(("log10 likelihood ratio", format!("{:.2} ({low:.2} to {high:.2}{bounded})", ratio.log10)));
        rows.push(("In words (ENFSI)", verbal(ratio.log10)));
        rows.push(("Calibrated on", ratio.calibration.clone()));
    }
    let mut table = String::from("<table>");
    for (name, value) in rows {
        let _ = write!(table, "<tr><th>{name}</th><td>{}</td></tr>", escaped(&value));
    }
    table.push_str("</table>");
    for warning in &comparison.warnings {
        let _ = write!(table, "<p class=note>{}</p>", escaped(warning));
    }
    table
}

/// Level 1 as grey bytes in base 64; 0 is missing.
fn image(surface: &Surface) -> String {
    let level = &surface.level1;
    let grey = grey(level);
    format!(
        "{{w:{},h:{},p:{},o:{},c:[{},{}],d:\"{}\"}}",
        level.width,
        level.height,
        level.pitch,
        level.offset,
        surface.centre[0],
        surface.centre[1],
        base64(&grey)
    )
}

fn grey(level: &Raster) -> Vec<u8> {
    let n = level.w.iter().sum::<f32>().max(1.0);
    let sigma = (level.z.iter().map(|z| z * z).sum::<f32>() / n).sqrt().max(1e-6);
    let byte = |(&z, &w): (&f32, &f32)| {
        if w > 0.0 { (128.0 + 126.0 * (z / (CONTRAST * sigma)).clamp(-1.0, 1.0)) as u8 } else { 0 }
    };
    level.z.iter().zip(&level.w).map(byte).collect()
}

fn cells(comparison: &Comparison) -> String {
    let mut list = String::from("[");
    for cell in &comparison.cells {
        let _ = write!(
            list,
            "[{:.1},{:.1},{:.1},{:.1},{:.1},{:.3},{:.2},{}],",
            cell.on_a.0.to_um(),
            cell.on_a.1.to_um(),
            cell.on_b.0.to_um(),
            cell.on_b.1.to_um(),
            cell.side.to_um(),
            cell.accf,
            cell.turn.to_degrees(),
            u8::from(cell.congruent)
        );
    }
    list.push(']');
    list
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let three = group.iter().fold(0_u32, |n, &b| n << 8 | u32::from(b)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[(three >> (18 - 6 * place) & 63) as usize];
            text.push(if place > group.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const HEAD: &str = "<!doctype html><html lang=en><head><meta charset=utf-8><title>Comparison</title><style>\
body{font:15px system-ui,sans-serif;margin:2em auto;max-width:1200px;padding:0 1em}\
figure{display:inline-block;margin:0 1em 1em 0}canvas{background:#222;display:block}\
th{text-align:left;padding-right:1em;font-weight:600}.note{color:#8a4b00}</style></head><body>";

const FIGURES: &str = "<figure><canvas id=a width=560 height=560></canvas><figcaption>A with its cells: green congruent, \
grey not</figcaption></figure><figure><canvas id=b width=560 height=560></canvas><figcaption>B with the same cells in \
register</figcaption></figure><figure><canvas id=m width=560 height=560></canvas><figcaption>Correlation of every cell \
(dark 0, light 1)</figcaption></figure><figure><canvas id=s width=560 height=560></canvas><figcaption>Alignment: <input \
id=t type=range min=0 max=100 value=0 aria-label=\"from A to B\"> from A to B in register</figcaption></figure>";

const SCRIPT: &str = r"
const pixels=s=>{const d=atob(s.d),c=document.createElement('canvas');c.width=s.w;c.height=s.h;
const x=c.getContext('2d'),i=x.createImageData(s.w,s.h);
for(let k=0;k<d.length;k++){const v=d.charCodeAt(k);i.data.set([v,v,v,v?255:0],4*k)}x.putImageData(i,0,0);return c};
const pa=pixels(A),pb=pixels(B),size=560,scale=size/Math.max(A.w*A.p,A.h*A.p,B.w*B.p,B.h*B.p);
const at=(x,s)=>{x.setTransform(scale,0,0,scale,size/2-s.c[0]*scale,size/2-s.c[1]*scale)};
const put=(x,p,s)=>x.drawImage(p,s.o,s.o,s.w*s.p,s.h*s.p);
const box=(x,u,v,side,turn,on,label)=>{x.save();x.translate(u,v);x.rotate(turn);x.lineWidth=1.5/scale;
x.strokeStyle=on?'#2ecc40':'#888';x.strokeRect(-side/2,-side/2,side,side);x.rotate(-turn);
if(on){x.fillStyle='#2ecc40';x.font=11/scale+'px sans-serif';x.fillText(label,-4/scale,4/scale)}x.restore()};
const of=id=>document.getElementById(id).getContext('2d');
let x=of('a');at(x,A);put(x,pa,A);cells.forEach((c,i)=>box(x,c[0],c[1],c[4],0,c[7],i+1));
x=of('b');at(x,B);put(x,pb,B);cells.forEach((c,i)=>c[7]&&box(x,c[2],c[3],c[4],turn+c[6]*Math.PI/180,1,i+1));
x=of('m');at(x,A);cells.forEach(c=>{x.fillStyle='hsl(140 60% '+Math.round(90*Math.max(0,c[5]))+'%)';
x.fillRect(c[0]-c[4]/2,c[1]-c[4]/2,c[4],c[4])});
const t=document.getElementById('t');const draw=()=>{const x=of('s');x.setTransform(1,0,0,1,0,0);x.clearRect(0,0,size,size);
x.globalAlpha=1-t.value/100;at(x,A);put(x,pa,A);x.globalAlpha=t.value/100;at(x,A);
x.translate(A.c[0]+shift[0],A.c[1]+shift[1]);x.rotate(-turn);x.translate(-B.c[0],-B.c[1]);put(x,pb,B);x.globalAlpha=1};
t.oninput=draw;draw();let up=1;if(!matchMedia('(prefers-reduced-motion: reduce)').matches){const run=setInterval(()=>{t.value=+t.value+2*up;
if(t.value>=100||t.value<=0)up=-up;draw()},60);t.onpointerdown=()=>clearInterval(run)}
";
