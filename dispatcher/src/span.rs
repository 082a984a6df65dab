//! Spans of a job in its producer's trace: the stages of its life, with their times.

use rolecast_common::id::{Category, JobId, NodeId};
use rolecast_common::trace::{SpanId, TraceContext, TraceId};

/// A stage in the life of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// In the stream, until the dispatcher has it.
    Wait,
    /// At the dispatcher, until a node with room is chosen.
    Place,
    /// On its way to the node, until the execution begins.
    Send,
    /// The execution.
    Run,
    /// Its outcome is being stored.
    Record,
}

impl Stage {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [Self::Wait, Self::Place, Self::Send, Self::Run, Self::Record];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Place => "place",
            Self::Send => "send",
            Self::Run => "run",
            Self::Record => "record",
        }
    }
}

/// One stage of a job, over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub trace: TraceId,
    pub id: SpanId,
    /// The producer's span.
    pub parent: SpanId,
    pub stage: Stage,
    /// Its begin and end, in microseconds since 1970 in UTC.
    pub begin_us: u64,
    pub end_us: u64,
    pub job: JobId,
    pub category: Category,
    /// The number of the attempt; 0 before the first.
    pub attempt: u32,
    pub node: Option<NodeId>,
    /// The reason why it did not end well.
    pub error: Option<String>,
}

/// Contexts that a node receives with a job in a trace that is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// That of the job's programs, below the span of the execution.
    pub at_node: TraceContext,
    /// The producer's, which comes back with the outcome.
    pub producer: TraceContext,
}

/// Returns the span of a stage of a job's attempt. The node's programs can be below the
/// span of the execution before that is over, because its id follows from these.
pub fn id(context: TraceContext, job: &JobId, attempt: u32, stage: Stage) -> SpanId {
    let name = format!("{job}.{attempt}.{}", stage.as_str());
    SpanId::of(context.trace, &name)
}
