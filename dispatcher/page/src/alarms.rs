//! Alarms of a picture: those of its status, and those of this dispatcher itself.

use rolecast_common::alarm::{Alarm, Gravity, of_changes, of_status};
use rolecast_common::words::one_line;

use crate::picture::{Picture, Standing};

/// The characters of a reason that are shown.
const REASON_CHARS_MAX: usize = 200;

/// Returns all alarms, the gravest first.
pub(crate) fn alarms(picture: &Picture) -> Vec<Alarm> {
    let mut alarms = Vec::new();
    if let Standing::Connecting { why } = &picture.standing {
        let why = one_line(why, REASON_CHARS_MAX);
        alarms.push(Alarm::new(Gravity::Bad, "NATS", why).command("rolecast status"));
    }
    if picture.is_cut_off && !matches!(picture.standing, Standing::Connecting { .. }) {
        let why = "the connection is lost; the dispatcher tries again, and sends nothing meanwhile";
        let alarm = Alarm::new(Gravity::Bad, "NATS", why);
        alarms.push(alarm.command("nats server check connection"));
    }
    if let Some(status) = &picture.status {
        alarms.extend(of_status(status, false));
    }
    if let Some(roles) = &picture.roles {
        alarms.extend(of_changes(roles));
    }
    alarms.sort_by_key(|alarm| alarm.gravity);
    alarms
}
