//! What an order's policy asks of the user and the product.

use millrace_domain::shop::product::{Product, ProductCommand};
use millrace_domain::users::user::{User, UserCommand};
use millrace_eventsourcing::{FollowUp, Policy as _};
use serde_json::json;

use super::*;
use crate::topics::envelopes;

fn reaction(id: &str, events: &[OrderEvent]) -> Vec<FollowUp> {
    let last = envelopes(events).pop().unwrap();
    OrderPolicy.react(id, &last)
}

#[test]
fn a_placed_order_asks_for_an_active_user() {
    let asked = FollowUp::to::<User>("u@x", &UserCommand::RequireActive {});
    assert_eq!(
        reaction("o-1", &[placed(2)]),
        [asked.answered_to::<Order>("o-1")]
    );
}

#[test]
fn a_confirmed_user_asks_the_product_for_stock() {
    let command = ProductCommand::ReserveStock {
        order_id: Id::try_from("o-1".to_owned()).unwrap(),
        quantity: Some(2),
    };
    let asked = FollowUp::to::<Product>("p-1", &command);
    assert_eq!(asked.data, json!({"order_id": "o-1", "quantity": 2}));
    assert_eq!(
        reaction("o-1", &[placed(2), user_confirmed(2)]),
        [asked.answered_to::<Order>("o-1")]
    );
}

#[test]
fn an_ended_order_asks_for_nothing() {
    for history in histories() {
        let is_ended = matches!(
            history.last(),
            Some(OrderEvent::OrderConfirmed(_) | OrderEvent::OrderRejected(_))
        );
        if is_ended {
            assert!(reaction("o-1", &history).is_empty(), "{history:?}");
        }
    }
}

#[test]
fn an_order_whose_id_is_none_takes_no_stock() {
    for id in ["", "a\nb", &"x".repeat(129)] {
        assert!(reaction(id, &[placed(2), user_confirmed(2)]).is_empty());
    }
    let longest = "x".repeat(128);
    assert_eq!(reaction(&longest, &[placed(2), user_confirmed(2)]).len(), 1);
}

#[test]
fn it_names_itself_its_targets_and_who_is_answered() {
    assert_eq!(OrderPolicy::NAME, "shop.policy.order");
    assert_eq!(OrderPolicy::TARGETS, ["users.user", "shop.product"]);
    for (history, aggregate, id, kind) in [
        (vec![placed(2)], "users.user", "u@x", "RequireActive"),
        (
            vec![placed(2), user_confirmed(2)],
            "shop.product",
            "p-1",
            "ReserveStock",
        ),
    ] {
        let asked = reaction("o-1", &history);
        assert_eq!((asked[0].aggregate, asked[0].kind), (aggregate, kind));
        assert_eq!(asked[0].aggregate_id, id);
        assert_eq!(asked[0].reply_to.as_deref(), Some("shop.order/o-1"));
    }
}
