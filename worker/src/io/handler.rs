//! Runs the handler of each job in a task of its own.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use rolecast_common::wire::OutcomeStatus;
use tokio::task::AbortHandle;

use super::report::{Finished, Report};
use crate::command::{OUTPUT_MAX, one_line};
use crate::job::{Job, JobError};

/// Starts one execution; its type hides the handler's.
pub(super) type Launch = Box<dyn Fn(Job, Report) -> AbortHandle + Send + Sync>;

pub(super) fn launcher<H, F, T>(handler: H) -> Launch
where
    H: Fn(Job) -> F + Send + Sync + 'static,
    F: Future<Output = Result<T, JobError>> + Send + 'static,
    T: Into<Bytes>,
{
    let handler = Arc::new(handler);
    Box::new(move |job, report| {
        let handler = Arc::clone(&handler);
        let execution = async move {
            let answer = AssertUnwindSafe(async { handler(job).await.map(Into::into) });
            report.send(finished(answer.catch_unwind().await));
        };
        tokio::spawn(execution).abort_handle()
    })
}

fn finished(answer: Result<Result<Bytes, JobError>, Box<dyn Any + Send>>) -> Finished {
    match answer {
        Ok(Ok(output)) if output.len() as u64 > OUTPUT_MAX.get() => {
            let reason = format!(
                "output of {} bytes is above {}; store it elsewhere and return its location",
                output.len(),
                OUTPUT_MAX.get()
            );
            Finished::of(OutcomeStatus::GiveUp, reason)
        }
        Ok(Ok(output)) => Finished {
            output,
            ..Finished::of(OutcomeStatus::Completed, String::new())
        },
        Ok(Err(error)) => Finished::of(error.status, one_line(&error.reason)),
        Err(panic) => {
            let reason = format!("the handler panicked: {}", one_line(message(&*panic)));
            Finished::of(OutcomeStatus::Retry, reason)
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::agent::{Ended, Run};
    use crate::cancellation::Cancellation;
    use crate::progress::Reporter;

    #[tokio::test]
    async fn a_handler_completes_with_its_output() {
        let ended = run(|job: Job| async move { Ok(job.payload().to_ascii_uppercase()) }).await;
        assert_eq!(ended.status, OutcomeStatus::Completed);
        assert_eq!(ended.output, "HELLO");
    }

    #[tokio::test]
    async fn errors_show_whether_another_try_makes_sense() {
        let ended = run(|_| async { Err::<Bytes, _>(JobError::give_up("bad\ninput")) }).await;
        assert_eq!(ended.status, OutcomeStatus::GiveUp);
        assert_eq!(ended.reason, "bad | input");
        let ended = run(|_| async { Ok::<Vec<u8>, _>(vec!["x".parse::<u8>()?]) }).await;
        assert_eq!(ended.status, OutcomeStatus::Retry);
    }

    #[tokio::test]
    async fn a_panic_is_a_failed_attempt_with_its_message() {
        let ended = run(|job: Job| async move {
            assert!(job.payload().is_empty(), "no room for {}", job.id());
            Ok(Bytes::new())
        });
        let ended = ended.await;
        assert_eq!(ended.status, OutcomeStatus::Retry);
        assert_eq!(ended.reason, "the handler panicked: no room for job-1");
    }

    #[tokio::test]
    async fn an_output_that_fits_no_message_is_given_up() {
        let ended = run(|_| async { Ok(vec![0; 960 * 1024 + 1]) }).await;
        assert_eq!(ended.status, OutcomeStatus::GiveUp);
        assert!(
            ended.reason.contains("store it elsewhere"),
            "{}",
            ended.reason
        );
    }

    #[tokio::test]
    async fn an_aborted_handler_still_ends() {
        let launch = launcher(|_| std::future::pending::<Result<Bytes, JobError>>());
        let (sender, mut ended) = mpsc::unbounded_channel();
        launch(job(), Report::new(Run::FIRST, sender)).abort();
        let ended = ended.recv().await.unwrap();
        assert_eq!(ended.reason, "stopped before it finished");
    }

    async fn run<H, F, T>(handler: H) -> Ended
    where
        H: Fn(Job) -> F + Send + Sync + 'static,
        F: Future<Output = Result<T, JobError>> + Send + 'static,
        T: Into<Bytes>,
    {
        let (sender, mut ended) = mpsc::unbounded_channel();
        launcher(handler)(job(), Report::new(Run::FIRST, sender));
        ended.recv().await.unwrap()
    }

    fn job() -> Job {
        Job {
            assignment: "7.ocr.job-1.3.$JS.ACK.S.c.1.2.3.4.5".parse().unwrap(),
            deadline: None,
            payload: Bytes::from_static(b"hello"),
            headers: None,
            reporter: Reporter::new(|_| {}),
            cancellation: Cancellation::default(),
        }
    }
}
