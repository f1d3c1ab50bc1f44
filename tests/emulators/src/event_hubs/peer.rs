//! What is known of one connection.

use super::store::Kept;
use super::token::Grant;
use std::sync::Mutex;
use tokio::sync::mpsc;

/// A connection's grants, and the links on which it awaits answers.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) number: u64,
    grants: Mutex<Vec<Grant>>,
    replies: Mutex<Vec<Replies>>,
    /// Whether there is a `$cbs` link to us, and one from us.
    cbs: Mutex<[bool; 2]>,
}

#[derive(Debug)]
struct Replies {
    number: u64,
    node: &'static str,
    address: Option<String>,
    to: mpsc::UnboundedSender<Kept>,
}

impl Peer {
    pub(crate) fn new(number: u64) -> Self {
        Self { number, grants: Mutex::default(), replies: Mutex::default(), cbs: Mutex::default() }
    }

    pub(crate) fn grant(&self, grant: Grant) {
        self.grants.lock().unwrap().push(grant);
    }

    /// Until when it may read from, or send to, a path; `None` when it may not.
    pub(crate) fn allowed(&self, path: &str, send: bool, now_ms: i64) -> Option<i64> {
        let path = path.to_ascii_lowercase();
        let grants = self.grants.lock().unwrap();
        let fitting = grants.iter().filter(|grant| {
            (if send { grant.send } else { grant.listen }) && grant.until_ms > now_ms && grant.covers(&path)
        });
        fitting.map(|grant| grant.until_ms).max()
    }

    /// Takes the connection's only `$cbs` link of one direction.
    pub(crate) fn take_cbs(&self, direction: usize) -> bool {
        !std::mem::replace(&mut self.cbs.lock().unwrap()[direction], true)
    }

    pub(crate) fn free_cbs(&self, direction: usize) {
        self.cbs.lock().unwrap()[direction] = false;
    }

    pub(crate) fn add_replies(
        &self,
        number: u64,
        node: &'static str,
        address: Option<String>,
    ) -> mpsc::UnboundedReceiver<Kept> {
        let (to, replies) = mpsc::unbounded_channel();
        self.replies.lock().unwrap().push(Replies { number, node, address, to });
        replies
    }

    pub(crate) fn remove_replies(&self, number: u64) {
        self.replies.lock().unwrap().retain(|replies| replies.number != number);
    }

    /// Sends an answer to the link that was named in the request, or else to any of the node's.
    pub(crate) fn reply(&self, node: &str, reply_to: Option<&str>, message: Kept) {
        let replies = self.replies.lock().unwrap();
        let of_node = || replies.iter().filter(|it| it.node == node);
        let named = of_node().find(|it| reply_to.is_some() && it.address.as_deref() == reply_to);
        if let Some(link) = named.or_else(|| of_node().next()) {
            // The link may be ending.
            let _ = link.to.send(message);
        }
    }
}
