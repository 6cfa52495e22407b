//! Stock is never oversold and never lost, whoever orders and is deactivated meanwhile.

use std::collections::BTreeMap;

use millrace_domain::shop::product::{ProductEvent, StockReserved};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

const PRODUCTS: [(&str, i64, i64); 3] = [("p", 7, 5), ("q", i64::MAX / 2, 9), ("r", 1, 0)];

#[derive(Debug, Clone)]
enum Wish {
    Place {
        email: &'static str,
        product: &'static str,
        quantity: i64,
    },
    SetStock(&'static str, i64),
    Deactivate,
    Reactivate,
}

fn wish() -> impl Strategy<Value = Wish> {
    let email = select(vec!["u@x", " U@X", "u@x", "nobody@x"]);
    let product = select(vec!["p", "p", "q", "r", "nothing"]);
    let some_product = select(PRODUCTS.map(|(id, ..)| id).to_vec());
    prop_oneof![
        8 => (email, product, -1..5_i64)
            .prop_map(|(email, product, quantity)| Wish::Place { email, product, quantity }),
        1 => (some_product, -1..6_i64).prop_map(|(id, stock)| Wish::SetStock(id, stock)),
        1 => Just(Wish::Deactivate),
        1 => Just(Wish::Reactivate),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        1 => Just(Order::Sent),
        1 => Just(Order::Reversed),
        4 => any::<u64>().prop_map(Order::Any),
        4 => any::<u64>().prop_map(Order::PerKey),
    ]
}

fn send(shop: &mut World, id: &str, wish: &Wish) {
    match wish {
        Wish::Place {
            email,
            product,
            quantity,
        } => shop.send::<ShopOrder>(id, id, &place(email, product, *quantity)),
        Wish::SetStock(product, stock) => {
            let stock = Some(*stock);
            shop.send::<Product>(product, id, &ProductCommand::SetStock { stock });
        }
        Wish::Deactivate => shop.send::<User>("u@x", id, &UserCommand::DeactivateUser {}),
        Wish::Reactivate => shop.send::<User>("u@x", id, &UserCommand::ReactivateUser {}),
    }
}

/// By order, what the products reserved for it. On the way every product's stock adds up.
fn reservations(shop: &World) -> Result<BTreeMap<String, StockReserved>, TestCaseError> {
    let mut all = BTreeMap::new();
    for (id, price, _) in PRODUCTS {
        let mut stock = 0;
        for event in shop.history::<Product>(id) {
            match event.payload {
                ProductEvent::ProductCreated(created) => stock = created.stock,
                ProductEvent::StockSet { stock: set } => stock = set,
                ProductEvent::StockReserved(reserved) => {
                    stock -= reserved.quantity;
                    prop_assert_eq!(reserved.stock, stock);
                    prop_assert_eq!(reserved.total_price, price * reserved.quantity);
                    let second = all.insert(reserved.order_id.clone(), reserved);
                    prop_assert_eq!(second, None);
                }
            }
            prop_assert!(stock >= 0, "{} is oversold", id);
        }
        prop_assert_eq!(left(shop, id), stock);
    }
    Ok(all)
}

proptest! {
    #[test]
    fn stock_is_neither_oversold_nor_lost(
        first in vec(wish(), 1..14),
        then in vec(wish(), 0..8),
        meanwhile in 0..60_usize,
        order in order(),
        repeating in any::<bool>(),
    ) {
        let shop = if repeating { repeating_shop_of(&PRODUCTS) } else { shop_of(&PRODUCTS) };
        let mut shop = shop;
        for (number, wish) in first.iter().enumerate() {
            send(&mut shop, &format!("w-{number}"), wish);
        }
        shop.run_until(order, |shop| shop.outcomes().len() > meanwhile);
        reservations(&shop)?;
        for (number, wish) in (first.len()..).zip(&then) {
            send(&mut shop, &format!("w-{number}"), wish);
        }
        shop.run(order);

        let reserved = reservations(&shop)?;
        let mut confirmed = 0;
        for number in 0..first.len() + then.len() {
            let id = format!("w-{number}");
            let Some(order) = shop.state::<ShopOrder>(&id) else { continue };
            let taken = reserved.get(&id);
            match order.stage {
                Stage::Confirmed {} => {
                    prop_assert_eq!(taken.map(|it| it.quantity), Some(order.quantity));
                    confirmed += 1;
                }
                Stage::Rejected { .. } => prop_assert_eq!(taken, None),
                Stage::Placed {} | Stage::UserConfirmed {} => {
                    prop_assert!(false, "{} has not ended: {:?}", id, order);
                }
            }
            prop_assert!(order.quantity > 0);
        }
        prop_assert_eq!(reserved.len(), confirmed);
    }
}
