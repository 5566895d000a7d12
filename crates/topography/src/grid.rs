//! A plain two-dimensional array.

/// A row-major array of samples; column `x` runs to the right, row `y` runs down the picture.
///
/// ```
/// use topography::Grid;
/// let grid = Grid::from_fn(3, 2, |x, y| x + 10 * y);
/// assert_eq!(grid[(2, 1)], 12);
/// assert_eq!(grid.row(0), [0, 1, 2]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grid<T> {
    width: usize,
    height: usize,
    samples: Vec<T>,
}

impl<T> Grid<T> {
    /// Wraps samples already in row-major order.
    ///
    /// # Panics
    ///
    /// If there are not exactly `width * height` samples.
    pub fn from_vec(width: usize, height: usize, samples: Vec<T>) -> Self {
        assert_eq!(samples.len(), width * height, "a grid of {width} x {height} needs as many samples");
        Self { width, height, samples }
    }

    /// Calls `sample(x, y)` for every place, row by row.
    pub fn from_fn(width: usize, height: usize, mut sample: impl FnMut(usize, usize) -> T) -> Self {
        let mut samples = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                samples.push(sample(x, y));
            }
        }
        Self { width, height, samples }
    }

    /// The number of columns.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// The number of rows.
    pub const fn height(&self) -> usize {
        self.height
    }

    /// All samples, row by row.
    pub fn samples(&self) -> &[T] {
        &self.samples
    }

    /// All samples, row by row, to be changed in place.
    pub fn samples_mut(&mut self) -> &mut [T] {
        &mut self.samples
    }

    /// All samples, row by row, given away.
    pub fn into_samples(self) -> Vec<T> {
        self.samples
    }

    /// One row, left to right.
    pub fn row(&self, y: usize) -> &[T] {
        &self.samples[y * self.width..(y + 1) * self.width]
    }

    /// One row, to be changed in place.
    pub fn row_mut(&mut self, y: usize) -> &mut [T] {
        &mut self.samples[y * self.width..(y + 1) * self.width]
    }

    /// The sample at `(x, y)`, or nothing outside the grid.
    pub fn get(&self, x: usize, y: usize) -> Option<&T> {
        if x < self.width { self.samples.get(y * self.width + x) } else { None }
    }

    /// A grid of the same shape with every sample converted.
    pub fn map<U>(&self, convert: impl FnMut(&T) -> U) -> Grid<U> {
        Grid { width: self.width, height: self.height, samples: self.samples.iter().map(convert).collect() }
    }
}

impl<T: Clone> Grid<T> {
    /// The part that begins at `(left, top)`, cut to what lies inside the grid.
    ///
    /// ```
    /// use topography::Grid;
    /// let grid = Grid::from_fn(4, 3, |x, y| 10 * y + x);
    /// assert_eq!(grid.crop(1, 1, 2, 9).samples(), [11, 12, 21, 22]);
    /// ```
    #[must_use]
    pub fn crop(&self, left: usize, top: usize, width: usize, height: usize) -> Self {
        let (left, top) = (left.min(self.width), top.min(self.height));
        let (width, height) = (width.min(self.width - left), height.min(self.height - top));
        let mut samples = Vec::with_capacity(width * height);
        (top..top + height).for_each(|y| samples.extend_from_slice(&self.row(y)[left..left + width]));
        Self { width, height, samples }
    }

    /// The mirror image with left and right exchanged, as a tool is seen against what it marked.
    #[must_use]
    pub fn mirrored(&self) -> Self {
        let rows = (0..self.height).flat_map(|y| self.row(y).iter().rev().cloned());
        Self { width: self.width, height: self.height, samples: rows.collect() }
    }

    /// Turned by a quarter, clockwise as seen; exact, without any blending.
    ///
    /// ```
    /// use topography::Grid;
    /// let grid = Grid::from_vec(2, 1, vec!["left", "right"]);
    /// assert_eq!(grid.quarter_turned().samples(), ["left", "right"]);
    /// assert_eq!(grid.quarter_turned().width(), 1);
    /// ```
    #[must_use]
    pub fn quarter_turned(&self) -> Self {
        let at = |x: usize, y: usize| self[(y, self.height - 1 - x)].clone();
        Self::from_fn(self.height, self.width, at)
    }

    /// A grid filled with one value.
    pub fn filled(width: usize, height: usize, value: T) -> Self {
        Self { width, height, samples: vec![value; width * height] }
    }
}

impl Grid<bool> {
    /// What holds with everything so many columns and rows about it; outside the grid nothing does.
    ///
    /// ```
    /// use topography::Grid;
    /// let mask = Grid::from_fn(7, 5, |x, _| x != 0);
    /// let inside = mask.eroded([1, 2]);
    /// assert!((0..7).all(|x| inside[(x, 2)] == (2..6).contains(&x)));
    /// assert_eq!(inside.samples().iter().filter(|&&holds| holds).count(), 4);
    /// ```
    #[must_use]
    pub fn eroded(&self, [columns, rows]: [usize; 2]) -> Self {
        let (width, height) = (self.width, self.height);
        let mut along = Self::filled(width, height, false);
        for y in 0..height {
            let mut run = 0;
            for (x, &holds) in self.row(y).iter().enumerate() {
                run = if holds { run + 1 } else { 0 };
                if run > 2 * columns {
                    along[(x - columns, y)] = true;
                }
            }
        }
        let mut eroded = Self::filled(width, height, false);
        let mut runs = vec![0; width];
        for y in 0..height {
            for (x, (run, &holds)) in runs.iter_mut().zip(along.row(y)).enumerate() {
                *run = if holds { *run + 1 } else { 0 };
                if *run > 2 * rows {
                    eroded[(x, y - rows)] = true;
                }
            }
        }
        eroded
    }
}

impl<T> std::ops::Index<(usize, usize)> for Grid<T> {
    type Output = T;

    fn index(&self, (x, y): (usize, usize)) -> &T {
        debug_assert!(x < self.width);
        &self.samples[y * self.width + x]
    }
}

impl<T> std::ops::IndexMut<(usize, usize)> for Grid<T> {
    fn index_mut(&mut self, (x, y): (usize, usize)) -> &mut T {
        debug_assert!(x < self.width);
        &mut self.samples[y * self.width + x]
    }
}
