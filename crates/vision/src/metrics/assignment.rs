//! Minimum-cost assignment by shortest augmenting paths with potentials (Jonker and Volgenant 1987).
//! Works on the feasible pairs only, since most pairs are not.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Returns the column assigned to each row, each column at most once, with the least total cost.
/// A row without a column costs `skip`. `pairs[row]` lists columns below `columns` and their costs. No cost is
/// negative.
pub(super) fn solve_assignment(pairs: &[Vec<(usize, i64)>], columns: usize, skip: i64) -> Vec<Option<usize>> {
    let rows = pairs.len();
    // Each row has an additional column of its own, which stands for no assignment.
    let all = columns + rows;
    let mut owner: Vec<Option<usize>> = vec![None; all];
    let mut given: Vec<Option<usize>> = vec![None; rows];
    let (mut row_price, mut column_price) = (vec![0_i64; rows], vec![0_i64; all]);
    let (mut cost_to, mut from) = (vec![i64::MAX; all], vec![0; all]);
    let mut heap = BinaryHeap::new();

    for start in 0..rows {
        let (mut touched, mut settled) = (vec![], vec![]);
        let (mut row, mut base) = (start, 0);
        let (end, least) = loop {
            for &(column, cost) in pairs[row].iter().chain([&(columns + row, skip)]) {
                let cost = base + cost - row_price[row] - column_price[column];
                if cost < cost_to[column] {
                    if cost_to[column] == i64::MAX {
                        touched.push(column);
                    }
                    (cost_to[column], from[column]) = (cost, row);
                    heap.push(Reverse((cost, column)));
                }
            }
            let (cost, column) = loop {
                let Reverse((cost, column)) = heap.pop().expect("a row can always get none");
                // Otherwise a cheaper path was found since.
                if cost == cost_to[column] {
                    break (cost, column);
                }
            };
            match owner[column] {
                None => break (column, cost),
                Some(next) => {
                    settled.push((column, next));
                    (row, base) = (next, cost);
                }
            }
        };
        row_price[start] += least;
        for (column, row) in settled {
            row_price[row] += least - cost_to[column];
            column_price[column] -= least - cost_to[column];
        }
        let mut column = end;
        loop {
            let row = from[column];
            owner[column] = Some(row);
            match given[row].replace(column) {
                Some(before) => column = before,
                None => break,
            }
        }
        heap.clear();
        for column in touched {
            cost_to[column] = i64::MAX;
        }
    }
    given.into_iter().map(|column| column.filter(|column| *column < columns)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKIP: i64 = 1_000;

    fn sum(pairs: &[Vec<(usize, i64)>], given: &[Option<usize>]) -> i64 {
        let cost = |(row, column): (usize, &Option<usize>)| match column {
            Some(column) => pairs[row].iter().find(|pair| pair.0 == *column).expect("only pairs that are given").1,
            None => SKIP,
        };
        given.iter().enumerate().map(cost).sum()
    }

    /// Tries all assignments.
    fn least(pairs: &[Vec<(usize, i64)>], row: usize, taken: u32) -> i64 {
        if row == pairs.len() {
            return 0;
        }
        let ways = pairs[row].iter().filter(|(column, _)| taken & (1 << column) == 0);
        let best = ways.map(|(column, cost)| cost + least(pairs, row + 1, taken | 1 << column)).min();
        best.unwrap_or(i64::MAX).min(SKIP + least(pairs, row + 1, taken))
    }

    #[test]
    fn as_good_as_trying_all_ways() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..500 {
            let (rows, columns) = (random.usize(0..7), random.usize(1..7));
            let mut pairs = vec![vec![]; rows];
            for row in &mut pairs {
                let possible = (0..columns).filter(|_| random.u8(..3) > 0).collect::<Vec<_>>();
                row.extend(possible.into_iter().map(|column| (column, random.i64(0..SKIP * 3 / 2))));
            }
            let given = solve_assignment(&pairs, columns, SKIP);
            let mut columns: Vec<_> = given.iter().flatten().collect();
            columns.sort_unstable();
            assert!(columns.windows(2).all(|pair| pair[0] != pair[1]), "{given:?}");
            assert_eq!(sum(&pairs, &given), least(&pairs, 0, 0), "{pairs:?}");
        }
    }

    #[test]
    fn the_nearest_is_given_up_where_that_is_cheaper_in_all() {
        let pairs = [vec![(0, 1), (1, 2)], vec![(0, 1), (1, 90)]];
        assert_eq!(solve_assignment(&pairs, 2, SKIP), [Some(1), Some(0)]);
        assert_eq!(solve_assignment(&pairs, 2, 0), [None, None]);
        assert_eq!(solve_assignment(&[vec![], vec![(0, 5)]], 1, SKIP), [None, Some(0)]);
    }
}
