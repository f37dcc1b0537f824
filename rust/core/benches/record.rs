//! Address, sign, verify, parse: what one record costs.

use std::hint::black_box;

use covey_core::address;
use covey_core::category::Category;
use covey_core::id::NodeId;
use covey_core::identity::{PublicKey, SigningKey};
use covey_core::record::{Draft, Unverified};
use covey_core::signature;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

fn draft() -> Draft {
    let node = NodeId::from_bytes([7; 16]);
    let mut draft = Draft::new(node, "bench", 1_786_611_600_000, "bench").expect("a valid head");
    for category in Category::ALL {
        draft
            .say(category, "the retry budget of the ingest worker is spent after the third timeout")
            .expect("a short text");
    }
    draft
}

fn record(criterion: &mut Criterion) {
    let key = SigningKey::from_seed(&[3; 32]).expect("a seed");
    let signed = signature::sign(draft(), &key).expect("a valid draft");
    let json = signed.record().to_json();
    criterion.bench_function("address", |bench| {
        bench.iter(|| address::content_key(&address::category_keys(black_box(signed.record().texts()))));
    });
    criterion.bench_function("sign", |bench| {
        bench.iter_batched(draft, |draft| signature::sign(draft, &key), BatchSize::SmallInput);
    });
    criterion.bench_function("parse", |bench| bench.iter(|| Unverified::parse(black_box(&json))));
    let claim = Unverified::parse(&json).expect("canonical");
    criterion.bench_function("verify", |bench| {
        bench.iter_batched(|| claim.clone(), |claim| signature::verify(claim, key.public()), BatchSize::SmallInput);
    });
    criterion.bench_function("verify_bytes", |bench| {
        bench.iter(|| {
            signature::verify_bytes(
                &signature::payload(signed.record()),
                &signed.record().metadata.signature,
                key.public(),
            )
        });
    });
    criterion
        .bench_function("key_check", |bench| bench.iter(|| PublicKey::from_bytes(black_box(*key.public().as_bytes()))));
}

criterion_group!(benches, record);
criterion_main!(benches);
