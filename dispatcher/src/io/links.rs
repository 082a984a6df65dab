//! State of the connection to NATS, as inputs of the scheduler.

use rolecast_nats::Link;
use tokio::sync::watch;

use crate::scheduler::Input;

/// The state of the connection, and the scheduler's view of it.
#[derive(Clone, Debug)]
pub(super) struct Links {
    state: watch::Receiver<Link>,
    /// The number of the connection that was last reported to the scheduler.
    number: u64,
}

impl Links {
    /// Begins with the present state.
    pub(super) fn new(mut state: watch::Receiver<Link>) -> Self {
        let number = state.borrow_and_update().number;
        Self { state, number }
    }

    /// Waits until the connection is lost or restored; a loss that was over before it was
    /// seen is reported as a new connection.
    pub(super) async fn changed(&mut self) -> Input {
        loop {
            if self.state.changed().await.is_err() {
                // The client is gone, and with it every subscription: their ends report
                // it.
                std::future::pending::<()>().await;
            }
            let link = *self.state.borrow_and_update();
            if !link.is_up {
                return Input::Disconnected;
            }
            if std::mem::replace(&mut self.number, link.number) != link.number {
                return Input::Reconnected;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_loss_that_nobody_saw_is_reported_as_a_new_connection() {
        let link = |is_up, number| Link { is_up, number };
        let (sender, state) = watch::channel(link(true, 1));
        let mut links = Links::new(state);
        sender.send_replace(link(false, 1));
        assert!(matches!(links.changed().await, Input::Disconnected));
        sender.send_replace(link(true, 2));
        assert!(matches!(links.changed().await, Input::Reconnected));
        sender.send_replace(link(false, 2));
        sender.send_replace(link(true, 3));
        assert!(matches!(links.changed().await, Input::Reconnected));
    }
}
