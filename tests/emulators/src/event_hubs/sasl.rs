//! How a connection says who it is: MSSBCBS (tokens follow), PLAIN with a policy's key, ANONYMOUS.

use super::peer::Peer;
use super::state::State;
use super::token;
use fe2o3_amqp::acceptor::SaslAcceptor;
use fe2o3_amqp::acceptor::sasl_acceptor::SaslServerFrame;
use fe2o3_amqp::types::primitives::{Array, Symbol};
use fe2o3_amqp::types::sasl::{SaslCode, SaslInit, SaslOutcome, SaslResponse};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) struct Sasl {
    pub(crate) state: Arc<State>,
    pub(crate) peer: Arc<Peer>,
}

impl SaslAcceptor for Sasl {
    fn mechanisms(&self) -> Array<Symbol> {
        Array::from(["MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"].map(Symbol::from).to_vec())
    }

    fn on_init(&mut self, init: SaslInit) -> SaslServerFrame {
        let accepted = match init.mechanism.as_str() {
            "MSSBCBS" | "ANONYMOUS" | "EXTERNAL" => true,
            "PLAIN" => {
                let response = init.initial_response.unwrap_or_default().into_vec();
                let parts: Vec<_> = response.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
                let grant = match parts.as_slice() {
                    [_, name, key] => token::plain(&self.state.config, name, key),
                    _ => None,
                };
                grant.is_some_and(|grant| {
                    self.peer.grant(grant);
                    true
                })
            }
            _ => false,
        };
        outcome(if accepted { SaslCode::Ok } else { SaslCode::Auth })
    }

    fn on_response(&mut self, _: SaslResponse) -> SaslServerFrame {
        outcome(SaslCode::Auth)
    }
}

fn outcome(code: SaslCode) -> SaslServerFrame {
    SaslServerFrame::Outcome(SaslOutcome { code, additional_data: None })
}
