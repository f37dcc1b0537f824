//! Recall by more than words: category, author, time, lineage, lifecycle, in any combination.
//!
//! Rules: the most selective thing that was asked for drives the search, and the rest filters what it brings. No search
//! looks at more than a bounded number of rows: past it the newest were looked at, and the result says so.

use std::fmt::Write as _;

use covey_core::category::Category;
use covey_core::id::{ContentKey, NodeId};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::error::{Fault, StoreError};
use crate::lifecycle::Lifecycle;
use crate::limits::{FIND_LINEAGE, FIND_LOOKED, FIND_SLICE, PAGE_MAX, RECALL_CANDIDATES, RECALL_RANKING};
use crate::recall::{RecallResult, best, lag, terms};
use crate::records::stored_by_id;
use crate::store::Store;
use crate::times::sql_ms;

/// What to look for. The default is everything.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Every one of these words.
    pub text: String,
    /// Only where this category says something; the words are looked for in it.
    pub category: Option<Category>,
    /// Only of this author.
    pub author: Option<NodeId>,
    /// Only of authors with this label, which proves nothing.
    pub label: Option<String>,
    /// Only this peer's own, or only others'.
    pub own: Option<bool>,
    /// Only of this room.
    pub room: Option<String>,
    /// Only what was stored from this moment on.
    pub from_ms: Option<u64>,
    /// Only what was stored before this moment.
    pub to_ms: Option<u64>,
    /// Only where understanding has come so far.
    pub lifecycle: Option<Lifecycle>,
    /// Only what descends from this block.
    pub below: Option<ContentKey>,
    /// Only what this block descends from.
    pub above: Option<ContentKey>,
}

impl Query {
    /// Says whether nothing but words is asked for.
    pub fn is_plain(&self) -> bool {
        self.category.is_none()
            && self.author.is_none()
            && self.label.is_none()
            && self.own.is_none()
            && self.room.is_none()
            && self.from_ms.is_none()
            && self.to_ms.is_none()
            && self.lifecycle.is_none()
            && self.below.is_none()
            && self.above.is_none()
    }
}

impl Store {
    /// Finds stored records. Newest first; by relevance where at most a thousand match the words.
    pub fn find(&self, query: &Query, limit: usize) -> Result<RecallResult, StoreError> {
        if query.is_plain() {
            return self.recall(&query.text, limit);
        }
        let limit = limit.min(PAGE_MAX);
        let search = Search::of(query);
        if !search.words.is_empty() {
            self.catch_up()?;
        }
        self.read(|view| {
            let (ids, capped) = search.run(view, limit)?;
            let hits = ids.into_iter().map(|id| stored_by_id(view, id)).collect::<Result<_, _>>()?;
            Ok(RecallResult { hits, capped, lag: lag(view)? })
        })
    }
}

/// A query as statements.
struct Search {
    /// Gives the places of candidates, newest first, at most as many as are looked at.
    driver: String,
    values: Vec<Value>,
    /// What the candidates must satisfy beside.
    filter: String,
    /// The filter asks for a set, which is made once for all candidates and not for each.
    whole: bool,
    /// The words that rank, where words drive it.
    words: Vec<String>,
    category: Option<Category>,
}

/// Each step of a walk is one row of the recursion; the walk ends after so many, wherever it is.
fn walk(up: bool) -> String {
    let step = if up {
        "SELECT l.parent FROM walk w JOIN records r ON r.key = w.key JOIN lineage l ON l.child = r.id"
    } else {
        "SELECT r.key FROM walk w JOIN lineage l ON l.parent = w.key JOIN records r ON r.id = l.child"
    };
    format!(
        "WITH RECURSIVE walk (key) AS (VALUES (?) UNION {step} WHERE l.levels >= 128 LIMIT {FIND_LINEAGE})
         SELECT r.id FROM walk w JOIN records r ON r.key = w.key WHERE w.key <> ?"
    )
}

impl Search {
    fn of(query: &Query) -> Self {
        let words = terms(&query.text);
        let mut search = Self {
            driver: String::new(),
            values: Vec::new(),
            filter: String::new(),
            whole: false,
            words: Vec::new(),
            category: query.category,
        };
        let lineage = query.below.map(|key| (key, false)).or(query.above.map(|key| (key, true)));
        if let Some((key, up)) = lineage {
            let key = Value::Blob(key.as_bytes().to_vec());
            search.drive(walk(up), [key.clone(), key]);
            if !words.is_empty() {
                let matching = "r.id IN (SELECT rowid FROM recall WHERE recall MATCH ?)";
                search.demand(matching, Value::Text(expression(&words, query.category)));
                search.whole = true;
            }
        } else if !words.is_empty() {
            let driver = "SELECT rowid AS id FROM recall WHERE recall MATCH ? ORDER BY rowid DESC";
            search.drive(driver.to_owned(), [Value::Text(expression(&words, query.category))]);
            search.words = words;
        } else if let Some(author) = query.author {
            let driver = "SELECT id FROM records WHERE author_node_id = ? ORDER BY id DESC";
            search.drive(driver.to_owned(), [Value::Text(author.to_string())]);
        } else if let Some(lifecycle) = query.lifecycle {
            let driver = "SELECT id FROM records WHERE lifecycle = ? ORDER BY active_ms DESC";
            search.drive(driver.to_owned(), [Value::Text(lifecycle.as_str().to_owned())]);
        } else if query.from_ms.is_some() || query.to_ms.is_some() {
            let (from, to) = (query.from_ms.unwrap_or(0), query.to_ms.unwrap_or(u64::MAX));
            let driver =
                "SELECT id FROM records WHERE stored_ms >= ? AND stored_ms < ? ORDER BY stored_ms DESC, id DESC";
            search.drive(driver.to_owned(), [Value::Integer(sql_ms(from)), Value::Integer(sql_ms(to))]);
        } else {
            search.drive("SELECT id FROM records ORDER BY id DESC".to_owned(), []);
        }
        search.filter_by(query);
        if query.below.is_some() && query.above.is_some() {
            // Between two blocks: the walk went down from the one, and must lie above the other.
            let key = query.above.map(|key| Value::Blob(key.as_bytes().to_vec()));
            for value in key.iter().cycle().take(2) {
                search.values.push(value.clone());
            }
            let _ = write!(search.filter, " AND r.id IN ({})", walk(true));
            search.whole = true;
        }
        search
    }

    fn drive<const N: usize>(&mut self, driver: String, values: [Value; N]) {
        self.driver = driver;
        self.values.extend(values);
    }

    fn demand(&mut self, condition: &str, value: Value) {
        let _ = write!(self.filter, " AND {condition}");
        self.values.push(value);
    }

    /// Whether the driver brings only what meets this.
    fn drives(&self, condition: &str) -> bool {
        self.driver.contains(condition)
    }

    fn filter_by(&mut self, query: &Query) {
        if let Some(category) = query.category {
            let name = category.name();
            let _ = write!(self.filter, " AND r.{name} <> '' AND r.{name} <> 'neutral'");
        }
        if let Some(author) = query.author.filter(|_| !self.drives("author_node_id = ?")) {
            self.demand("r.author_node_id = ?", Value::Text(author.to_string()));
        }
        if let Some(label) = &query.label {
            self.demand("r.author = ?", Value::Text(label.clone()));
        }
        if let Some(own) = query.own {
            self.demand("r.own = ?", Value::Integer(i64::from(own)));
        }
        if let Some(room) = &query.room {
            self.demand("r.room = ?", Value::Text(room.clone()));
        }
        let times = !self.drives("stored_ms >= ?");
        if let Some(from) = query.from_ms.filter(|_| times) {
            self.demand("r.stored_ms >= ?", Value::Integer(sql_ms(from)));
        }
        if let Some(to) = query.to_ms.filter(|_| times) {
            self.demand("r.stored_ms < ?", Value::Integer(sql_ms(to)));
        }
        if let Some(lifecycle) = query.lifecycle.filter(|_| !self.drives("lifecycle = ?")) {
            self.demand("r.lifecycle = ?", Value::Text(lifecycle.as_str().to_owned()));
        }
    }

    /// Returns places in the order they are shown, and whether there was more to look at.
    fn run(&self, view: &Connection, limit: usize) -> Result<(Vec<i64>, bool), Fault> {
        let (driving, filtering) = self.values.split_at(self.driver_values());
        let most = usize::try_from(FIND_LOOKED).unwrap_or(usize::MAX);
        let mut looked: Vec<i64> = {
            let mut statement = view.prepare_cached(&format!("SELECT id FROM ({} LIMIT {})", self.driver, most + 1))?;
            let ids = statement.query_map(params_from_iter(driving), |row| row.get(0))?;
            ids.collect::<Result<_, _>>()?
        };
        let capped = looked.len() > most;
        looked.truncate(most);
        looked.sort_unstable_by(|left, right| right.cmp(left));
        let ranks = !self.words.is_empty() && !capped;
        let wanted = if ranks { RECALL_CANDIDATES + 1 } else { limit };
        let mut ids = if self.filter.is_empty() { looked } else { self.passing(view, &looked, filtering, wanted)? };
        if ranks && ids.len() <= RECALL_CANDIDATES {
            ids = self.ranked(view, ids)?;
        }
        ids.truncate(limit);
        Ok((ids, capped))
    }

    /// The first of some candidates that satisfy the filter: a slice of rows is read after the other, until there are as
    /// many as are wanted. What asks for a set is asked once.
    fn passing(&self, view: &Connection, looked: &[i64], values: &[Value], wanted: usize) -> Result<Vec<i64>, Fault> {
        let mut found: Vec<i64> = Vec::new();
        for slice in looked.chunks(if self.whole { looked.len().max(1) } else { FIND_SLICE }) {
            if found.len() >= wanted {
                break;
            }
            let listed = slice.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
            let filter = &self.filter;
            let query = format!("SELECT r.id FROM records r WHERE r.id IN ({listed}) {filter} ORDER BY r.id DESC");
            // The list is of this search alone: its statement would only push others out of the cache.
            let mut statement = view.prepare(&query)?;
            let ids = statement.query_map(params_from_iter(values), |row| row.get(0))?;
            for id in ids {
                found.push(id?);
            }
        }
        found.truncate(wanted);
        Ok(found)
    }

    /// How many of the values belong to the driver, which comes first.
    fn driver_values(&self) -> usize {
        self.driver.matches('?').count()
    }

    fn ranked(&self, view: &Connection, ids: Vec<i64>) -> Result<Vec<i64>, Fault> {
        let looked = usize::try_from(FIND_LOOKED).unwrap_or(usize::MAX).max(ids.len());
        let order = best(view, &self.words, |some| expression(some, self.category), looked, RECALL_RANKING)?;
        let wanted: std::collections::HashSet<i64> = ids.into_iter().collect();
        Ok(order.into_iter().filter(|id| wanted.contains(id)).collect())
    }
}

fn expression(words: &[String], category: Option<Category>) -> String {
    let all = words.join(" AND ");
    category.map_or_else(|| all.clone(), |category| format!("{} : ({all})", category.name()))
}
