//! What happened: two scenes, two pistols, five cases. All of it is made up.

use topography::Angle;

/// How a case was looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Look {
    /// A confocal microscope measured its heights.
    Confocal,
    /// Photographs under one lamp from the side, one for each place of the lamp.
    Oblique(&'static [f64]),
    /// A scanning electron microscope.
    Electron,
}

impl Look {
    /// What a table says of it.
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Confocal => "confocal topography".to_owned(),
            Self::Oblique([_]) => "one oblique photograph".to_owned(),
            Self::Oblique(lamps) => format!("{} oblique photographs", lamps.len()),
            Self::Electron => "SEM image".to_owned(),
        }
    }
}

/// One case found at a scene.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shot {
    /// Exhibit number.
    pub(crate) exhibit: &'static str,
    /// Where it was found.
    pub(crate) scene: &'static str,
    /// Which of the two pistols fired it.
    pub(crate) gun: usize,
    /// The preset of conditions.
    pub(crate) preset: &'static str,
    /// What differs from the preset.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// How it was looked at.
    pub(crate) look: Look,
    /// Whether a real primer scan is the background, where one is at hand.
    pub(crate) on_real_primer: bool,
}

const ANY_WAY_UP: (&str, &str) = ("turn", "180deg");

/// The five cases.
pub(crate) const SHOTS: [Shot; 5] = [
    Shot {
        exhibit: "A-1",
        scene: "Scene A (synthetic)",
        gun: 0,
        preset: "level-1",
        settings: &[ANY_WAY_UP],
        look: Look::Confocal,
        on_real_primer: false,
    },
    Shot {
        exhibit: "A-2",
        scene: "Scene A (synthetic)",
        gun: 0,
        preset: "level-2",
        settings: &[ANY_WAY_UP, ("drag", "12um"), ("double", "20um")],
        look: Look::Oblique(&[-135.0, -45.0, 45.0, 135.0]),
        on_real_primer: false,
    },
    Shot {
        exhibit: "A-3",
        scene: "Scene A (synthetic)",
        gun: 1,
        preset: "level-1",
        settings: &[ANY_WAY_UP],
        look: Look::Confocal,
        on_real_primer: true,
    },
    Shot {
        exhibit: "B-1",
        scene: "Scene B (synthetic)",
        gun: 1,
        preset: "level-1",
        settings: &[ANY_WAY_UP],
        look: Look::Electron,
        on_real_primer: false,
    },
    Shot {
        exhibit: "B-2",
        scene: "Scene B (synthetic)",
        gun: 0,
        preset: "level-2",
        settings: &[ANY_WAY_UP, ("rounds", "1200")],
        look: Look::Oblique(&[-120.0]),
        on_real_primer: false,
    },
];

/// The lamp stands this high above the case.
pub(crate) const LAMP_HEIGHT: Angle = Angle::degrees(32.0);
