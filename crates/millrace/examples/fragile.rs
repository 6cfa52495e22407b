//! A program that goes wrong on purpose, for tests of how that ends: its rules panic at `Drop`, and
//! the variable `FRAGILE_TWICE` makes it register one name twice.

use std::process::ExitCode;

use millrace::eventsourcing::{
    Aggregate, Column, Context, Decision, EventEnvelope, FollowUp, PlainRejection, Policy,
    Projection, Row, Schemas, Stamp, Table,
};
use serde::{Deserialize, Serialize};

use VaseCommand::{Drop, Fill};
use VaseEvent::Filled;

fn main() -> ExitCode {
    let context = millrace::Context::new("fragile")
        .aggregate::<Vase>()
        .projection::<Levels>()
        .policy(Florist);
    let twice = std::env::var("FRAGILE_TWICE").unwrap_or_default();
    let context = match twice.as_str() {
        "aggregate" => context.aggregate::<Vase>(),
        "command type" => context.aggregate::<Jug>(),
        "projection" => context.projection::<Levels>(),
        "table" => context.projection::<Depths>(),
        "policy" => context.policy(Florist),
        _ => context,
    };
    millrace::main(millrace::Registry::new([context]))
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Vase {
    water: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum VaseCommand {
    Fill { amount: i64 },
    Drop {},
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum VaseEvent {
    Filled { water: i64 },
}

const INVALID_AMOUNT: PlainRejection = PlainRejection::new("invalid_amount", "less than nothing");

const SCHEMAS: Schemas = Schemas {
    commands: include_str!("fragile/vase.commands.avsc"),
    events: include_str!("fragile/vase.events.avsc"),
    state: include_str!("fragile/vase.state.avsc"),
};

impl Aggregate for Vase {
    const NAME: &'static str = "fragile.vase";
    const SCHEMAS: Schemas = SCHEMAS;
    type Command = VaseCommand;
    type Event = VaseEvent;
    type Rejection = PlainRejection;

    fn decide(
        vase: Option<&Self>,
        command: &VaseCommand,
        _: &Context<'_>,
    ) -> Result<Decision<VaseEvent>, PlainRejection> {
        let water = vase.map_or(0, |vase| vase.water);
        match command {
            Fill { amount } if *amount < 0 => Err(INVALID_AMOUNT),
            Fill { amount } => Ok(Filled {
                water: water.saturating_add(*amount),
            }
            .into()),
            Drop {} => panic!("it breaks"),
        }
    }

    fn evolve(_: Option<Self>, Filled { water }: &VaseEvent) -> Option<Self> {
        Some(Self { water: *water })
    }
}

/// Takes the same command types as a vase.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Jug(Vase);

impl Aggregate for Jug {
    const NAME: &'static str = "fragile.jug";
    const SCHEMAS: Schemas = SCHEMAS;
    type Command = VaseCommand;
    type Event = VaseEvent;
    type Rejection = PlainRejection;

    fn decide(
        jug: Option<&Self>,
        command: &VaseCommand,
        context: &Context<'_>,
    ) -> Result<Decision<VaseEvent>, PlainRejection> {
        Vase::decide(jug.map(|Self(vase)| vase), command, context)
    }

    fn evolve(_: Option<Self>, event: &VaseEvent) -> Option<Self> {
        Vase::evolve(None, event).map(Self)
    }
}

static LEVELS: Table = Table {
    name: "levels",
    columns: &[Column::text("id"), Column::bigint("water")],
    partition_key: 1,
    clustering: &[],
    stamp: Stamp::Version,
};

fn level(id: &str, Filled { water }: &VaseEvent) -> Vec<Row> {
    let columns = [("id", id.into()), ("water", (*water).into())];
    vec![Row::upsert(&LEVELS, columns)]
}

struct Levels;

impl Projection for Levels {
    type Aggregate = Vase;
    const NAME: &'static str = "levels";
    const REVISION: i32 = 1;
    const TABLES: &'static [&'static Table] = &[&LEVELS];

    fn project(id: &str, event: &EventEnvelope<VaseEvent>) -> Vec<Row> {
        level(id, &event.payload)
    }
}

/// Writes to the table of another.
struct Depths;

impl Projection for Depths {
    type Aggregate = Vase;
    const NAME: &'static str = "depths";
    const REVISION: i32 = 1;
    const TABLES: &'static [&'static Table] = &[&LEVELS];

    fn project(id: &str, event: &EventEnvelope<VaseEvent>) -> Vec<Row> {
        level(id, &event.payload)
    }
}

/// Looks on.
#[derive(Debug, Clone)]
struct Florist;

impl Policy for Florist {
    type Aggregate = Vase;
    const NAME: &'static str = "fragile.policy.florist";
    const TARGETS: &'static [&'static str] = &[Vase::NAME];

    fn react(&self, _: &str, _: &EventEnvelope<VaseEvent>) -> Vec<FollowUp> {
        Vec::new()
    }
}
