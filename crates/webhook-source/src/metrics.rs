//! What a webhook counts, beside what every source counts.

event_source::metrics! {
    /// What all webhooks of a plugin count together.
    pub struct WebhookMetrics {
        counter requests: "Requests, whatever they asked for.",
        counter requests_confirmed: "Requests that were answered with 200: evaluated, or queued where that is what `acknowledge` asks for.",
        counter requests_sent_again: "Requests that were known, since the one before got no answer or 503; nothing of them is evaluated twice.",
        counter requests_abandoned: "Requests whose sender went away before it was answered; they are evaluated all the same.",
        counter requests_late: "Requests that were answered with 503, since they were not evaluated in time.",
        counter requests_without_room: "Requests that were answered with 503, since the queue was full.",
        counter requests_at_close: "Requests that were answered with 503, since the source was closed.",
        counter requests_unauthorized: "Requests without the right token, answered with 401.",
        counter requests_bad: "Requests whose body is not what is expected, answered with 400.",
        counter requests_incomplete: "Requests whose sender went away before its body had arrived.",
        counter requests_too_large: "Requests whose body is larger than is allowed, answered with 413.",
        counter requests_of_other_type: "Requests of another content type or encoding, answered with 415.",
        counter requests_too_slow: "Requests whose body did not arrive in time, answered with 408.",
        counter requests_defective: "Requests on which what parses bodies panicked, answered with 500.",
        counter requests_elsewhere: "Requests of another path or method, answered with 404 or 405.",
        counter bytes_received: "Bytes of bodies, as they are after inflation.",
        counter forgotten: "Requests without an answer that were forgotten, since there were too many: one that is sent again is evaluated again.",
        gauge requests_waiting: "Requests that are taken in and not evaluated yet.",
        gauge bytes_reserved: "Bytes of the queue that are in use, by what is being received and by what is not evaluated yet.",
        counter connections: "Connections accepted.",
        counter connections_refused: "Connections closed since there were as many as are allowed: the oldest without a right request, or else the new one.",
        counter connections_failed: "Connections on which no TLS came about: no common version, or no right certificate of the client.",
        gauge connections_open: "Connections of the moment.",
        counter accept_errors: "Connections that the system could not give.",
        counter reloads: "Times that a changed certificate or token came into use.",
        counter reload_errors: "Looks at a changed certificate or token that could not be used.",
    }
}
