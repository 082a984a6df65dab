//! Statistics of forecasts in placement: decisions that they changed, or would have
//! changed in advisory mode.

use std::time::Duration;

use rolecast_common::id::Category;
use rolecast_forecast::Ahead;

use super::Reporting;
use crate::fleet::Fleet;
use crate::placement::{Request, Slot};
use crate::scheduler::context::Context;
use crate::scheduler::output::{Diversion, Event, KeptAway};

/// Horizon of the expected use by others that is reported where jobs are kept away.
const NEXT: Duration = Duration::from_secs(60);

impl Reporting {
    /// Counts whether forecasts kept the job away from a node that its last heartbeat
    /// favours.
    pub(in crate::scheduler) fn compare(
        &mut self,
        cx: &mut Context<'_>,
        fleet: &mut Fleet,
        category: &Category,
        request: &Request<'_>,
        slot: Slot,
    ) {
        self.count(|counters| &mut counters.compared);
        let from = fleet.placer().diverted_from(request, slot);
        let Some(from) = from.map(|from| fleet.id_of(from).clone()) else {
            return;
        };
        self.count(|counters| &mut counters.diverted);
        fleet.count_diverted(&from);
        let Some(node) = fleet.get(&from) else {
            return;
        };
        let (cpu_now, cpu_expected) = (
            node.usage().total.cpu,
            node.likely_exogenous(Ahead::covering(NEXT)).cpu,
        );
        if let Some(count) = self.rates.diversions.count(cx.now.time) {
            cx.event(Event::Diverted(KeptAway {
                category: category.clone(),
                to: fleet.id_of(slot).clone(),
                from,
                cpu_now,
                cpu_expected,
                count,
            }));
        }
    }

    /// Counts, in advisory mode, where forecasts would have sent the job.
    pub(in crate::scheduler) fn advise(
        &mut self,
        cx: &mut Context<'_>,
        fleet: &mut Fleet,
        category: &Category,
        request: &Request<'_>,
        slot: Slot,
    ) {
        let Some(advice) = fleet.placer().advise(request) else {
            return;
        };
        self.count(|counters| &mut counters.advisory_decisions);
        let better = fleet.id_of(advice).clone();
        fleet.count_advised(&better);
        if advice == slot {
            return;
        }
        self.count(|counters| &mut counters.advisory_diverted);
        if let Some(count) = self.rates.advice.count(cx.now.time) {
            cx.event(Event::AdvisoryDiverted(Diversion {
                category: category.clone(),
                node: fleet.id_of(slot).clone(),
                better,
                count,
            }));
        }
    }
}
