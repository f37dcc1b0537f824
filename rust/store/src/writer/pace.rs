//! What a writer does when nobody asks it to write: when rows are indexed, how many together, and when pieces merge.
//!
//! Rules: at once where nothing else is written; between commits some rows together, no more than a recall adds by itself,
//! so that whoever asks misses nothing; and where blocks come in bulk a whole slice. Rows indexed few at a time cost twice
//! as much and more: every slice is a piece that is merged with others later. Time is told, as a length since any start.

use std::time::Duration;

/// How a writer paces what follows the commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paces {
    /// Without a commit before few rows are indexed.
    pub rest: Duration,
    /// Rows that wait before they are indexed between commits.
    pub busy_rows: u64,
    /// Rows of one group from which on blocks come in bulk.
    pub burst_rows: u64,
    /// Rows indexed at once at most.
    pub slice_rows: u64,
    /// Rows the index may be behind; past it each group waits until as many are indexed.
    pub lag_rows: u64,
}

/// What is to be done while no job waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Index so many rows at most.
    Index(u64),
    /// Merge a few pages of the index.
    Merge,
    /// Wait for a job: for so long, or for as long as it takes.
    Wait(Option<Duration>),
}

/// What is known of the index, and of how jobs come.
#[derive(Debug)]
pub(super) struct Pace {
    paces: Paces,
    unindexed: u64,
    /// Pieces may wait to be merged.
    unmerged: bool,
    /// Nothing was written for a while before the last group.
    alone: bool,
    /// Rows of the last group.
    rows: u64,
    /// When the last group was durable; none before the first.
    ended: Option<Duration>,
}

impl Pace {
    /// Begins. What an earlier run left is looked for.
    pub(super) fn new(paces: Paces) -> Self {
        Self { paces, unindexed: 1, unmerged: false, alone: true, rows: 0, ended: None }
    }

    /// Says what to do at this moment, while no job waits.
    pub(super) fn next(&self, now: Duration) -> Next {
        let rested = self.rested(now);
        let bulk = self.rows >= self.paces.burst_rows;
        let many = if bulk { self.paces.slice_rows } else { self.paces.busy_rows };
        if self.unindexed > 0 && (self.alone || self.unindexed >= many || rested) {
            // Few where few wait, since a job may come meanwhile.
            let behind = self.unindexed >= self.paces.slice_rows;
            return Next::Index(if behind { self.paces.slice_rows } else { self.paces.busy_rows });
        }
        // At once between lone commits; in bulk there is no gap that is left free.
        if self.unmerged && (!bulk || rested) {
            return Next::Merge;
        }
        let due = self.ended.map(|ended| (ended + self.paces.rest).saturating_sub(now));
        Next::Wait(due.filter(|_| self.unindexed > 0 || self.unmerged))
    }

    /// Tells whether a slice ends early for a job that comes meanwhile: only where blocks come nearly alone, since in a
    /// stream one waits always, and a slice of a few rows costs twice as much; and not where the index is a whole slice
    /// behind, or it would fall behind for good.
    pub(super) fn gives_way(&self) -> bool {
        self.rows < self.paces.burst_rows / 4 && self.unindexed < self.paces.slice_rows
    }

    /// Takes note that a group is about to be written.
    pub(super) fn begins(&mut self, now: Duration) {
        self.alone = self.rested(now);
    }

    /// Takes note that a group of so many rows was written.
    pub(super) fn wrote(&mut self, rows: u64, now: Duration) {
        self.ended = Some(now);
        self.rows = rows;
        self.unindexed += rows;
    }

    /// Says how many rows to index before the next group, `rows` of the last one being left: the index is far behind.
    pub(super) fn owes(&self, rows: u64) -> Option<u64> {
        (rows > 0 && self.unindexed > self.paces.lag_rows).then_some(self.paces.slice_rows)
    }

    /// Takes note that rows were indexed, and how many are left. An index that cannot grow has none left until more comes.
    pub(super) fn indexed(&mut self, left: Option<u64>) {
        self.unindexed = left.unwrap_or(0);
        self.unmerged |= left.is_some();
    }

    /// Takes note that pages were merged, and whether more may be.
    pub(super) fn merged(&mut self, more: bool) {
        self.unmerged = more;
    }

    fn rested(&self, now: Duration) -> bool {
        self.ended.is_none_or(|ended| now >= ended + self.paces.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACES: Paces =
        Paces { rest: Duration::from_millis(20), busy_rows: 64, burst_rows: 32, slice_rows: 512, lag_rows: 2_000 };

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A pace that has nothing left to do, one lone row being written at 1,000 ms.
    fn after_a_lone_row() -> Pace {
        let mut pace = Pace::new(PACES);
        pace.begins(at(1_000));
        pace.wrote(1, at(1_000));
        pace.indexed(Some(0));
        pace.merged(false);
        pace
    }

    #[test]
    fn what_an_earlier_run_left_is_indexed_and_merged_before_the_first_job() {
        let mut pace = Pace::new(PACES);
        assert_eq!(pace.next(at(0)), Next::Index(64));
        pace.indexed(Some(0));
        assert_eq!(pace.next(at(0)), Next::Merge);
        pace.merged(true);
        assert_eq!(pace.next(at(0)), Next::Merge);
        pace.merged(false);
        assert_eq!(pace.next(at(0)), Next::Wait(None));
    }

    #[test]
    fn a_row_after_a_rest_is_indexed_at_once() {
        let mut pace = after_a_lone_row();
        assert_eq!(pace.next(at(1_000)), Next::Wait(None));
        pace.begins(at(1_020));
        pace.wrote(1, at(1_021));
        assert_eq!(pace.next(at(1_021)), Next::Index(64));
    }

    #[test]
    fn rows_that_follow_one_another_are_indexed_together_or_after_a_rest() {
        let mut pace = after_a_lone_row();
        for row in 1..64 {
            pace.begins(at(1_000 + row));
            pace.wrote(1, at(1_000 + row));
            assert_eq!(pace.next(at(1_000 + row)), Next::Wait(Some(at(20))), "{row} wait");
            assert_eq!(pace.next(at(1_015 + row)), Next::Wait(Some(at(5))), "what is left of the rest");
            assert_eq!(pace.next(at(1_020 + row)), Next::Index(64), "nothing followed");
        }
        pace.begins(at(1_064));
        pace.wrote(1, at(1_064));
        assert_eq!(pace.next(at(1_064)), Next::Index(64), "so many are worth a slice");
    }

    #[test]
    fn in_bulk_rows_wait_for_a_whole_slice_and_nothing_is_merged() {
        let mut pace = after_a_lone_row();
        pace.begins(at(1_001));
        pace.wrote(511, at(1_001));
        assert_eq!(pace.next(at(1_001)), Next::Wait(Some(at(20))));
        pace.begins(at(1_002));
        pace.wrote(32, at(1_002));
        assert_eq!(pace.next(at(1_002)), Next::Index(512));
        pace.indexed(Some(31));
        assert_eq!(pace.next(at(1_002)), Next::Wait(Some(at(20))), "neither the few nor the pieces");
        assert_eq!(pace.next(at(1_022)), Next::Index(64), "after a rest the few");
        pace.indexed(Some(0));
        assert_eq!(pace.next(at(1_022)), Next::Merge, "and the pieces");
    }

    #[test]
    fn a_slice_gives_way_between_lone_jobs_and_not_where_the_index_is_far_behind() {
        let mut pace = after_a_lone_row();
        pace.wrote(1, at(1_001));
        assert!(pace.gives_way());
        for _ in 0..511 {
            pace.wrote(1, at(1_002));
        }
        assert!(!pace.gives_way(), "a whole slice waits");
        pace.indexed(Some(0));
        pace.wrote(7, at(1_003));
        assert!(pace.gives_way());
        pace.wrote(8, at(1_004));
        assert!(!pace.gives_way(), "in a stream");
    }

    #[test]
    fn between_lone_jobs_pieces_are_merged_until_none_is_left() {
        let mut pace = after_a_lone_row();
        pace.begins(at(1_001));
        pace.wrote(64, at(1_001));
        pace.begins(at(1_002));
        pace.wrote(1, at(1_002));
        assert_eq!(pace.next(at(1_002)), Next::Index(64));
        pace.indexed(Some(1));
        assert_eq!(pace.next(at(1_002)), Next::Merge, "one row waits for others; the pieces wait for nothing");
        pace.merged(true);
        assert_eq!(pace.next(at(1_002)), Next::Merge);
        pace.merged(false);
        assert_eq!(pace.next(at(1_002)), Next::Wait(Some(at(20))));
    }

    #[test]
    fn an_index_far_behind_is_filled_with_each_group_by_as_much_as_came() {
        let mut pace = after_a_lone_row();
        pace.begins(at(1_001));
        pace.wrote(2_000, at(1_001));
        assert_eq!(pace.owes(2_000), None, "as far as it may be");
        pace.wrote(1, at(1_002));
        assert_eq!(pace.owes(1), Some(512));
        pace.indexed(Some(1_489));
        assert_eq!(pace.owes(1), None);
        pace.wrote(1_000, at(1_003));
        assert_eq!((pace.owes(1_000), pace.owes(0)), (Some(512), None), "no more than came");
    }

    #[test]
    fn an_index_that_cannot_grow_is_left_alone_until_more_is_stored() {
        let mut pace = after_a_lone_row();
        pace.begins(at(2_000));
        pace.wrote(1, at(2_000));
        pace.indexed(None);
        assert_eq!(pace.next(at(2_001)), Next::Wait(None));
        pace.begins(at(3_000));
        pace.wrote(1, at(3_000));
        assert_eq!(pace.next(at(3_000)), Next::Index(64));
    }
}
