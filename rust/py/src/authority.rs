//! Python's view of authority: the pinned anchor, signed statements, and what a set of them amounts to.

use std::sync::{Mutex, PoisonError};

use covey_core::authority::{self, Act, Frame, Grant, Held, Ledger, Offered, Quotas, Role, Scope, Source, Wanted};
use covey_core::error::{Reason, Refusal};
use covey_core::hash::hex;
use covey_core::id::{NodeId, StatementId};
use covey_core::limits::STATEMENT_CAPACITY;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::errors::mapped;
use crate::identity::{Identity, SigningKey};
use crate::keys;

/// A role and the scope it holds in.
type Roles = Vec<(String, Option<String>)>;

/// The keys in which authority starts, and how many of them must sign together (MMP 2.0 §6.6.1).
#[pyclass(frozen, module = "covey._core")]
pub struct AnchorPin {
    inner: authority::AnchorPin,
}

#[pymethods]
impl AnchorPin {
    /// Pin raw public keys, each with the node id of its holder where that is known.
    #[new]
    fn new(py: Python<'_>, threshold: usize, members: Vec<([u8; 32], Option<String>)>) -> PyResult<Self> {
        let read = |(key, node_id): ([u8; 32], Option<String>)| {
            let node_id = node_id.map(|node_id| NodeId::parse(&node_id)).transpose()?;
            Ok((keys::checked(key)?, node_id))
        };
        let members = members.into_iter().map(read).collect::<Result<Vec<_>, Refusal>>();
        let pinned = members.and_then(|members| authority::AnchorPin::new(threshold, members));
        mapped(py, pinned).map(|inner| Self { inner })
    }
    #[getter]
    fn threshold(&self) -> usize {
        self.inner.threshold()
    }
    /// Raw keys and node ids, by key.
    #[getter]
    fn members<'py>(&self, py: Python<'py>) -> Vec<(Bound<'py, PyBytes>, Option<String>)> {
        let members = self.inner.members();
        members.map(|(key, id)| (PyBytes::new(py, key.as_bytes()), id.map(|id| id.to_string()))).collect()
    }
    /// 64 hex digits: what two people compare.
    #[getter]
    fn digest(&self) -> String {
        hex(&self.inner.digest())
    }
}

/// A grant, revoke or endorse of the right shape; what it is worth, an `Authority` says.
#[pyclass(frozen, module = "covey._core")]
pub struct Statement {
    inner: authority::Statement,
}

#[pymethods]
impl Statement {
    /// Read one statement from JSON bytes. No signature is checked.
    #[staticmethod]
    fn parse(py: Python<'_>, json: &[u8]) -> PyResult<Self> {
        mapped(py, authority::Statement::parse(json)).map(Self::of)
    }

    /// Draft a grant under `source` ("anchor" or a grant's id). `nonce` is 16 fresh random bytes.
    #[staticmethod]
    #[pyo3(signature = (source, *, node_id, public_key, role, scope=None, nonce, issued_ms=None))]
    #[allow(clippy::too_many_arguments)] // the members of a grant, all but one by keyword
    fn grant(
        py: Python<'_>,
        source: &str,
        node_id: &str,
        public_key: [u8; 32],
        role: &str,
        scope: Option<&str>,
        nonce: [u8; 16],
        issued_ms: Option<u64>,
    ) -> PyResult<Self> {
        let drafted = (|| {
            keys::checked(public_key)?;
            let grant = Grant {
                node_id: NodeId::parse(node_id)?,
                key: public_key,
                role: Role::parse(role).ok_or_else(|| unusable("role", role))?,
                scope: scope.map(read_scope).transpose()?,
            };
            authority::Statement::draft(read_source(source)?, Act::Grant(grant), nonce, issued_ms)
        })();
        mapped(py, drafted).map(Self::of)
    }

    /// Draft a revoke of grants.
    #[staticmethod]
    #[pyo3(signature = (source, targets, *, nonce, issued_ms=None))]
    fn revoke(
        py: Python<'_>,
        source: &str,
        targets: Vec<String>,
        nonce: [u8; 16],
        issued_ms: Option<u64>,
    ) -> PyResult<Self> {
        Self::naming(py, Act::Revoke, source, &targets, nonce, issued_ms)
    }

    /// Draft an endorse of grants and revokes.
    #[staticmethod]
    #[pyo3(signature = (source, targets, *, nonce, issued_ms=None))]
    fn endorse(
        py: Python<'_>,
        source: &str,
        targets: Vec<String>,
        nonce: [u8; 16],
        issued_ms: Option<u64>,
    ) -> PyResult<Self> {
        Self::naming(py, Act::Endorse, source, &targets, nonce, issued_ms)
    }

    /// Return the statement with one more signature.
    fn sign(&self, py: Python<'_>, key: &Bound<'_, PyAny>) -> PyResult<Self> {
        let signed = if let Ok(identity) = key.cast::<Identity>() {
            self.inner.clone().sign(identity.get().inner.key())
        } else {
            self.inner.clone().sign(&key.cast::<SigningKey>()?.get().inner)
        };
        mapped(py, signed).map(Self::of)
    }

    /// Return the canonical members as JSON bytes.
    fn to_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner.to_json())
    }
    #[getter]
    fn id(&self) -> String {
        self.inner.id().to_string()
    }
    /// "anchor", or the id of the grant it is signed with.
    #[getter]
    fn source(&self) -> String {
        match self.inner.source() {
            Source::Anchor => "anchor".to_owned(),
            Source::Grant(id) => id.to_string(),
        }
    }
    /// "grant", "revoke" or "endorse".
    #[getter]
    fn kind(&self) -> &'static str {
        match self.inner.act() {
            Act::Grant(_) => "grant",
            Act::Revoke(_) => "revoke",
            Act::Endorse(_) => "endorse",
        }
    }
    /// Of a grant: node id, raw key, role, scope.
    #[getter]
    fn subject<'py>(&self, py: Python<'py>) -> Option<(String, Bound<'py, PyBytes>, String, Option<String>)> {
        self.inner.grant().map(|grant| {
            let scope = grant.scope.as_ref().map(ToString::to_string);
            (grant.node_id.to_string(), PyBytes::new(py, &grant.key), grant.role.to_string(), scope)
        })
    }
    /// Of a revoke or endorse: the ids it names, sorted.
    #[getter]
    fn targets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.inner.targets().map(|id| id.to_string()).collect::<Vec<_>>())
    }
    /// When its signers say they signed it; no decision uses it.
    #[getter]
    fn issued_ms(&self) -> Option<u64> {
        self.inner.issued_at()
    }
    fn __repr__(&self) -> String {
        format!("Statement({} {})", self.kind(), self.inner.id())
    }
}

impl Statement {
    fn of(inner: authority::Statement) -> Self {
        Self { inner }
    }

    fn naming(
        py: Python<'_>,
        act: impl FnOnce(std::collections::BTreeSet<StatementId>) -> Act,
        source: &str,
        targets: &[String],
        nonce: [u8; 16],
        issued_ms: Option<u64>,
    ) -> PyResult<Self> {
        let drafted = (|| {
            let targets = targets.iter().map(|id| StatementId::parse(id)).collect::<Result<_, _>>()?;
            authority::Statement::draft(read_source(source)?, act(targets), nonce, issued_ms)
        })();
        mapped(py, drafted).map(Self::of)
    }
}

/// The statements held under one pin, and what they amount to (MMP 2.0 §6.6.4).
#[pyclass(frozen, module = "covey._core")]
pub struct Authority {
    inner: Mutex<Ledger>,
}

impl Authority {
    /// Run `work` on the ledger: the GIL goes first, the lock comes second, and no Python runs under it.
    fn with<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&mut Ledger) -> T + Send) -> T {
        py.detach(|| work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

#[pymethods]
impl Authority {
    #[new]
    #[pyo3(signature = (pin, *, capacity=STATEMENT_CAPACITY))]
    fn new(pin: &AnchorPin, capacity: usize) -> Self {
        Self { inner: Mutex::new(Ledger::new(pin.inner.clone(), Quotas::default(), capacity)) }
    }

    /// Return the most that offering this statement costs now, in signature checks; 0 for one that needs none.
    fn price(&self, py: Python<'_>, statement: &Statement) -> u32 {
        let statement = &statement.inner;
        self.with(py, |ledger| ledger.price(statement))
    }

    /// Verify a statement and hold it: ("new", None), ("known", None), or ("missing", the id it hangs from).
    fn offer(&self, py: Python<'_>, statement: &Statement) -> PyResult<(&'static str, Option<String>)> {
        let statement = statement.inner.clone();
        let offered = mapped(py, self.with(py, |ledger| ledger.offer(statement)))?;
        Ok(match offered {
            Offered::New => ("new", None),
            Offered::Known => ("known", None),
            Offered::Missing(id) => ("missing", Some(id.to_string())),
        })
    }

    /// Judge what a disk kept, as (id, JSON) pairs in any order.
    ///
    /// Returns:
    ///     (position, reason, detail) of each that does not hold under this pin.
    fn restore(&self, py: Python<'_>, kept: Vec<(String, Vec<u8>)>) -> Vec<(usize, &'static str, String)> {
        let refused = self.with(py, |ledger| ledger.restore(kept));
        refused.into_iter().map(|(at, why)| (at, why.reason.as_str(), why.detail)).collect()
    }

    /// Return what came into force since this was last asked, in the order of sending.
    fn news(&self, py: Python<'_>) -> Vec<Statement> {
        let news: Vec<_> = self.with(py, |ledger| ledger.news().into_iter().cloned().collect());
        news.into_iter().map(Statement::of).collect()
    }

    /// Return a held statement.
    fn get(&self, py: Python<'_>, id: &str) -> PyResult<Option<Statement>> {
        let id = mapped(py, StatementId::parse(id))?;
        Ok(self.with(py, |ledger| ledger.get(id).cloned()).map(Statement::of))
    }

    /// Return what became of a held statement: in-force, removed, over-quota or dead.
    fn standing(&self, py: Python<'_>, id: &str) -> PyResult<Option<&'static str>> {
        let id = mapped(py, StatementId::parse(id))?;
        Ok(self.with(py, |ledger| ledger.resolution().standing(id)).map(authority::Standing::as_str))
    }

    /// Return every held statement.
    fn statements(&self, py: Python<'_>) -> Vec<Statement> {
        let held: Vec<_> = self.with(py, |ledger| ledger.statements().cloned().collect());
        held.into_iter().map(Statement::of).collect()
    }

    /// Return up to `most` live statements after a cursor ("" is the start), and the cursor of the next page.
    fn page(&self, py: Python<'_>, after: &str, most: usize) -> PyResult<(Vec<Statement>, Option<String>)> {
        let page = self.with(py, |ledger| {
            let (page, next) = ledger.page(after, most)?;
            Ok((page.into_iter().cloned().collect::<Vec<_>>(), next))
        });
        let (page, next) = mapped(py, page)?;
        Ok((page.into_iter().map(Statement::of).collect(), next))
    }

    /// 64 hex digits: equal for two nodes with one pin and the same statements in force.
    #[getter]
    fn root(&self, py: Python<'_>) -> String {
        hex(&self.with(py, |ledger| *ledger.resolution().root()))
    }
    /// How many statements are in force.
    #[getter]
    fn count(&self, py: Python<'_>) -> usize {
        self.with(py, |ledger| ledger.resolution().in_force().len())
    }

    /// Return the roles of a node under this key, each with its scope. A role belongs to both together.
    fn roles(&self, py: Python<'_>, node_id: &str, public_key: [u8; 32]) -> PyResult<Roles> {
        let node_id = mapped(py, NodeId::parse(node_id))?;
        Ok(self.with(py, |ledger| told(ledger.resolution().roles(node_id, &public_key))))
    }

    /// Return everybody who holds a role: node id, raw key, roles.
    fn holders<'py>(&self, py: Python<'py>) -> Vec<(String, Bound<'py, PyBytes>, Roles)> {
        let holders: Vec<(String, [u8; 32], Roles)> = self.with(py, |ledger| {
            let holders = ledger.resolution().holders();
            holders.map(|(node_id, key, held)| (node_id.to_string(), *key, told(held))).collect()
        });
        holders.into_iter().map(|(node_id, key, held)| (node_id, PyBytes::new(py, &key), held)).collect()
    }

    /// Return how far a node may move a record inside these scopes: "none", "validated" or "canonical".
    #[pyo3(signature = (node_id, public_key, inside=Vec::new()))]
    fn reach(
        &self,
        py: Python<'_>,
        node_id: &str,
        public_key: [u8; 32],
        inside: Vec<String>,
    ) -> PyResult<&'static str> {
        let node_id = mapped(py, NodeId::parse(node_id))?;
        let reach = self.with(py, |ledger| {
            ledger.resolution().reach(node_id, &public_key, |scope| inside.iter().any(|text| text == scope.as_str()))
        });
        Ok(reach.as_str())
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.with(py, |ledger| ledger.len())
    }
}

fn told(held: &[Held]) -> Roles {
    held.iter().map(|held| (held.word().to_owned(), held.scope.as_ref().map(ToString::to_string))).collect()
}

fn read_source(source: &str) -> Result<Source, Refusal> {
    if source == "anchor" { Ok(Source::Anchor) } else { StatementId::parse(source).map(Source::Grant) }
}

fn read_scope(text: &str) -> Result<Scope, Refusal> {
    Scope::parse(text).ok_or_else(|| unusable("scope", text))
}

fn unusable(what: &str, value: &str) -> Refusal {
    Refusal::new(Reason::InvalidArgument, format!("{what}: {value:?} is none"))
}

/// One of the four frames that carry statements (MMP 2.0 §6.6.8), inside its closed schema; nothing in it is verified.
#[pyclass(frozen, module = "covey._core")]
pub struct AuthorityFrame {
    inner: Frame,
}

#[pymethods]
impl AuthorityFrame {
    /// Read a frame of this `type`.
    #[staticmethod]
    fn parse(py: Python<'_>, kind: &str, json: &[u8]) -> PyResult<Self> {
        mapped(py, Frame::parse(kind, json)).map(|inner| Self { inner })
    }

    /// Write an answer.
    #[staticmethod]
    #[pyo3(signature = (request, statements, *, missing=Vec::new(), next=None))]
    fn answer<'py>(
        py: Python<'py>,
        request: String,
        statements: Vec<PyRef<'py, Statement>>,
        missing: Vec<String>,
        next: Option<String>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let missing = missing.iter().map(|id| StatementId::parse(id)).collect::<Result<Vec<_>, Refusal>>();
        let missing = mapped(py, missing)?;
        let statements = statements.iter().map(|statement| statement.inner.clone()).collect();
        Ok(PyBytes::new(py, &authority::Set { request, statements, missing, next }.to_json()))
    }

    /// "statement", "digest", "fetch" or "set".
    #[getter]
    fn kind(&self) -> &'static str {
        match &self.inner {
            Frame::Statement(_) => "statement",
            Frame::Digest(_) => "digest",
            Frame::Fetch(_) => "fetch",
            Frame::Set(_) => "set",
        }
    }
    /// The statements it carries; none for a digest or a fetch.
    #[getter]
    fn statements(&self) -> Vec<Statement> {
        match &self.inner {
            Frame::Statement(told) => vec![Statement::of((**told).clone())],
            Frame::Set(told) => told.statements.iter().cloned().map(Statement::of).collect(),
            Frame::Digest(_) | Frame::Fetch(_) => Vec::new(),
        }
    }
    /// Of a digest: its root.
    #[getter]
    fn root(&self) -> Option<String> {
        match &self.inner {
            Frame::Digest(told) => Some(hex(&told.root)),
            _ => None,
        }
    }
    /// Of a fetch or a set: what names the exchange.
    #[getter]
    fn request(&self) -> Option<&str> {
        match &self.inner {
            Frame::Fetch(told) => Some(&told.request),
            Frame::Set(told) => Some(&told.request),
            Frame::Statement(_) | Frame::Digest(_) => None,
        }
    }
    /// Of a fetch by ids: which; None for a fetch of a page.
    #[getter]
    fn ids(&self) -> Option<Vec<String>> {
        match &self.inner {
            Frame::Fetch(authority::Fetch { wanted: Wanted::Ids(ids), .. }) => {
                Some(ids.iter().map(ToString::to_string).collect())
            }
            _ => None,
        }
    }
    /// Of a fetch of a page, or a set: the cursor.
    #[getter]
    fn cursor(&self) -> Option<&str> {
        match &self.inner {
            Frame::Fetch(authority::Fetch { wanted: Wanted::After(cursor), .. }) => Some(cursor),
            Frame::Set(told) => told.next.as_deref(),
            _ => None,
        }
    }
}

/// Put this room's classes into the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<AnchorPin>()?;
    module.add_class::<Statement>()?;
    module.add_class::<AuthorityFrame>()?;
    module.add_class::<Authority>()
}
