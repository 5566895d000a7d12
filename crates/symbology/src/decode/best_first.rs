//! The combinations of independent choices, the best first.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Visits all combinations of one value from each of `N` lists in the order of falling weight, each once.
pub(super) struct BestFirst<const N: usize> {
    choices: [Vec<(f64, u8)>; N],
    heap: BinaryHeap<Node<N>>,
}

#[derive(Clone, Copy)]
struct Node<const N: usize> {
    /// The sum of the logs.
    weight: f64,
    /// Which choice of each list, counted from its best.
    ranks: [u8; N],
    /// Only this list and those after it may still go on: so every combination has one parent.
    from: u8,
}

impl<const N: usize> BestFirst<N> {
    /// Log weights of all values of each list; values of weight `-inf` are never visited.
    pub(super) fn new(lists: [&[f64]; N]) -> Self {
        let choices = lists.map(|logs| {
            let mut choices: Vec<(f64, u8)> =
                logs.iter().enumerate().map(|(value, &log)| (log, value as u8)).collect();
            choices.retain(|(log, _)| *log > f64::NEG_INFINITY);
            choices.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            choices
        });
        let mut heap = BinaryHeap::new();
        if choices.iter().all(|list| !list.is_empty()) {
            let weight = choices.iter().map(|list| list[0].0).sum();
            heap.push(Node { weight, ranks: [0; N], from: 0 });
        }
        Self { choices, heap }
    }
}

impl<const N: usize> Iterator for BestFirst<N> {
    type Item = (f64, [u8; N]);

    fn next(&mut self) -> Option<Self::Item> {
        let node = self.heap.pop()?;
        for list in usize::from(node.from)..N {
            let rank = usize::from(node.ranks[list]);
            if let Some(&(log, _)) = self.choices[list].get(rank + 1) {
                let mut child = node;
                child.weight += log - self.choices[list][rank].0;
                child.ranks[list] += 1;
                child.from = list as u8;
                self.heap.push(child);
            }
        }
        let values = std::array::from_fn(|list| self.choices[list][usize::from(node.ranks[list])].1);
        Some((node.weight, values))
    }
}

impl<const N: usize> Ord for Node<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.weight.total_cmp(&other.weight).then_with(|| other.ranks.cmp(&self.ranks))
    }
}

impl<const N: usize> PartialOrd for Node<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<const N: usize> PartialEq for Node<N> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<const N: usize> Eq for Node<N> {}
