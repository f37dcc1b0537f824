//! The native module `covey._core`: converts values and maps errors, nothing else. No rule of the domain
//! lives here. Classes are frozen; the GIL is released around real work; no lock is held while Python runs.

mod attest;
mod authority;
mod batch;
mod clock;
mod encoder;
mod errors;
mod grant;
mod identity;
mod intake;
mod invite;
mod keys;
mod legacy;
mod outlet;
mod own;
mod prior;
mod record;
mod routing;
mod session;
mod state;
mod state_input;
mod store;
mod store_delivery;
mod store_memory;
mod store_rows;
mod svaf;
mod tether;
mod writer;

use covey_core::category::Category;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// Native core of covey: encoding, addressing, signing, sessions, admission and the store.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("CATEGORIES", PyTuple::new(py, Category::ALL.map(Category::name))?)?;
    module.add("CoreError", py.get_type::<errors::CoreError>())?;
    module.add_class::<identity::SigningKey>()?;
    module.add_class::<identity::Identity>()?;
    module.add_class::<batch::RecordBatch>()?;
    module.add_class::<clock::VectorClock>()?;
    module.add_class::<state::StateMap>()?;
    module.add_class::<state_input::AuthorKeys>()?;
    module.add_class::<state::MergeReport>()?;
    module.add_class::<state::StateStanding>()?;
    module.add_class::<intake::Intake>()?;
    module.add_class::<invite::Invite>()?;
    module.add_class::<intake::OutcomeBatch>()?;
    module.add_class::<intake::Outcome>()?;
    module.add_class::<svaf::Evaluation>()?;
    module.add_class::<svaf::Basis>()?;
    module.add_class::<encoder::Encoder>()?;
    module.add_class::<encoder::Traces>()?;
    module.add_class::<prior::Prior>()?;
    module.add_class::<prior::Gather>()?;
    module.add_class::<svaf::CategoryVerdict>()?;
    module.add_function(wrap_pyfunction!(svaf::encode, module)?)?;
    module.add_function(wrap_pyfunction!(svaf::evaluate, module)?)?;
    module.add_function(wrap_pyfunction!(svaf::evaluate_vectors, module)?)?;
    module.add_class::<store::Store>()?;
    module.add_class::<outlet::Outlet>()?;
    module.add_class::<outlet::Settled>()?;
    module.add_function(wrap_pyfunction!(outlet::read_receipts, module)?)?;
    module.add_class::<store_delivery::StoreMail>()?;
    store_memory::register(module)?;
    module.add_class::<store_delivery::Attention>()?;
    module.add_class::<store_delivery::SendRow>()?;
    module.add_class::<store_delivery::OutboxPage>()?;
    module.add_class::<store_delivery::GapRow>()?;
    module.add_class::<store_rows::StoredRecord>()?;
    module.add_class::<store_rows::RecallResult>()?;
    module.add_class::<store_rows::CommitReport>()?;
    module.add_class::<store_rows::InboxRow>()?;
    module.add_class::<store_rows::OutboxRow>()?;
    module.add_class::<store_rows::DecisionRow>()?;
    module.add_class::<record::Application>()?;
    module.add_class::<record::Draft>()?;
    module.add_class::<record::Unverified>()?;
    module.add_class::<record::Record>()?;
    module.add_class::<record::Hearsay>()?;
    module.add_function(wrap_pyfunction!(record::category_key, module)?)?;
    module.add_function(wrap_pyfunction!(record::content_key, module)?)?;
    module.add_function(wrap_pyfunction!(record::sign, module)?)?;
    module.add_function(wrap_pyfunction!(record::verify, module)?)?;
    module.add_function(wrap_pyfunction!(record::address_only, module)?)?;
    module.add_function(wrap_pyfunction!(record::sign_many, module)?)?;
    module.add_function(wrap_pyfunction!(record::verify_batch, module)?)?;
    module.add_class::<routing::RelayMessage>()?;
    module.add_function(wrap_pyfunction!(routing::relay_message, module)?)?;
    module.add_function(wrap_pyfunction!(routing::peek_frame, module)?)?;
    attest::register(module)?;
    authority::register(module)?;
    module.add_class::<grant::RoomGrant>()?;
    module.add_function(wrap_pyfunction!(identity::verify_signature, module)?)?;
    module.add_function(wrap_pyfunction!(identity::verify_statement, module)?)?;
    module.add_function(wrap_pyfunction!(identity::author_of, module)?)?;
    tether::register(module)?;
    session::register(module)?;
    legacy::register(module)?;
    own::register(module)?;
    writer::register(module)?;
    Ok(())
}
