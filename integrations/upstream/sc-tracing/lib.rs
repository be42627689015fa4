//! What the tests of sc-executor use of the crate of this name, without the forty crates of a client
//! that it brings: spans that guests open and leave, handed to whoever wants them.

use std::{collections::HashMap, fmt::Debug};
use tracing::{
    Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

/// What the host calls the spans of guests, which have their own names and targets in their values.
const OF_A_GUEST: &str = "wasm_tracing";

/// A span that was left.
#[derive(Clone, Debug)]
pub struct SpanDatum {
    /// Its name.
    pub name: String,
    /// What it belongs to.
    pub target: String,
    /// What it carries.
    pub values: Values,
}

/// What a span carries, by type and name.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// Truths.
    pub bool_values: HashMap<String, bool>,
    /// Texts, and everything else as text.
    pub string_values: HashMap<String, String>,
}

impl Visit for Values {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.bool_values.insert(field.name().to_owned(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.string_values.insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.string_values.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

/// Something that happened in a span; none is handed out here.
pub struct TraceEvent;

/// Who wants spans.
pub trait TraceHandler: Send + Sync {
    /// Gets a span that was left.
    fn handle_span(&self, span: &SpanDatum);
    /// Gets an event.
    fn handle_event(&self, event: &TraceEvent);
}

/// Hands out the spans of guests that belong to one target.
pub struct ProfilingLayer {
    handler: Box<dyn TraceHandler>,
    target: String,
}

impl ProfilingLayer {
    /// A layer for `target`.
    pub fn new_with_handler(handler: Box<dyn TraceHandler>, target: &str) -> Self {
        Self { handler, target: target.to_owned() }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ProfilingLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let guest = attributes.metadata().name() == OF_A_GUEST;
        if let Some(span) = context.span(id).filter(|_| guest) {
            let mut values = Values::default();
            attributes.record(&mut values);
            span.extensions_mut().insert(values);
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let values = context.span(id).and_then(|span| span.extensions_mut().remove::<Values>());
        let Some(mut values) = values else { return };
        values.bool_values.insert("wasm".to_owned(), true);
        let mut take = |name| values.string_values.remove(name).unwrap_or_default();
        let (name, target) = (take("name"), take("target"));
        if target == self.target {
            self.handler.handle_span(&SpanDatum { name, target, values });
        }
    }
}
