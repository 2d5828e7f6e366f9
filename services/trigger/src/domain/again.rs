//! Which deliveries can be redelivered, and as what.

use weft_proto::weft::trigger::v1::{Delivery, DeliveryCause, DeliveryState};
use weft_store::DeliveryRow;

use super::kept::{KeptEvent, Rights};
use crate::Error;

/// What the new delivery is made of, with the rights of whoever asks; or why there can be none. `name` is that of the
/// first one.
pub(crate) fn again(
    name: &str,
    row: &DeliveryRow,
    head: &Delivery,
    event: KeptEvent,
    rights: Rights,
) -> Result<(Delivery, KeptEvent), Error> {
    let refuse = |reason, message| Err(Error::NotAgain { reason, message, name: name.to_owned() });
    match head.state() {
        DeliveryState::Refused => {
            return refuse("DELIVERY_REFUSED", "it was refused: nobody knows whom it is from");
        }
        DeliveryState::Pending => return refuse("DELIVERY_PENDING", "its run is about to be started"),
        _ => {}
    }
    let has_content = !matches!(head.cause(), DeliveryCause::Schedule | DeliveryCause::Backfill);
    if has_content && row.event.is_empty() {
        return refuse("DELIVERY_FORGOTTEN", "what came with it was forgotten to make room");
    }
    let head = Delivery {
        cause: head.cause,
        event_id: head.event_id.clone(),
        event_type: head.event_type.clone(),
        body_bytes: head.body_bytes,
        address: head.address.clone(),
        schedule_time: head.schedule_time,
        redelivery_of: name.to_owned(),
        test: head.test,
        ..Delivery::default()
    };
    // How many runs led to it stays as it was: to redeliver is no way out of a loop's bound.
    Ok((head, KeptEvent { rights: Some(rights), ..event }))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;
    use weft_store::{DeliveryKind, Timestamp};

    use super::*;

    fn reason(state: DeliveryState, cause: DeliveryCause, event: &'static str) -> Option<&'static str> {
        let row = DeliveryRow {
            id: Uuid::nil(),
            trigger: Uuid::nil(),
            dedup: [0; 32],
            state: state.into(),
            kind: DeliveryKind::Taken,
            wake: None,
            expires: Timestamp::from_micros(0),
            head: Bytes::new(),
            event: event.into(),
        };
        let head = Delivery { state: state.into(), cause: cause.into(), ..Delivery::default() };
        match again("d", &row, &head, KeptEvent { depth: 3, ..KeptEvent::default() }, Rights::default()) {
            Ok((head, event)) => {
                assert_eq!((&head.redelivery_of[..], head.cause(), event.depth), ("d", cause, 3));
                assert_eq!(head.state(), DeliveryState::Unspecified);
                None
            }
            Err(Error::NotAgain { reason, .. }) => Some(reason),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn what_was_taken_and_is_still_kept_can_be_redelivered() {
        use DeliveryState::{Failed, Pending, Refused, Skipped, Started};
        for state in [Failed, Skipped, Started] {
            assert_eq!(reason(state, DeliveryCause::Webhook, "e"), None);
            assert_eq!(reason(state, DeliveryCause::Schedule, ""), None);
            assert_eq!(reason(state, DeliveryCause::Message, ""), Some("DELIVERY_FORGOTTEN"));
        }
        assert_eq!(reason(Refused, DeliveryCause::Webhook, "e"), Some("DELIVERY_REFUSED"));
        assert_eq!(reason(Pending, DeliveryCause::Webhook, "e"), Some("DELIVERY_PENDING"));
    }
}
