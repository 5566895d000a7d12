//! What dealers state, what the books learn meanwhile, and for whom questions wait.

use registry::{Books, Event, FirearmKey, Licensee, Loss, LossKind, NewEntry, Recipient, Role};
use serde_json::Value;
use server::api::{Answer, DealerCard, DealerDisposition, DealerStatement, NodeCard, OutcomeName, Question};
use server::roles::{Agency, Dealer, Enrolment};
use server::{Ledger, NodeRole, validity};
use symbology::Code;
use transparency::FolderStore;
use uuid::Uuid;

use crate::world::{DEALER, MAKER, World, node, question, until};

const NEXT: &str = "1-23-456-01-9A-44444";

/// A question whose chain ends at the dealer.
async fn asked(agency: &Agency, code: Code) -> (Question, Answer) {
    let question = question(&[(code, 0.9999)]);
    let answer = agency.ask(&question).await.unwrap().remove(0).unwrap().answer;
    (question, answer)
}

async fn again(agency: &Agency, issuer: &NodeCard, question: &Question) -> Answer {
    agency.ask_again(&issuer.name, question.id).await.unwrap().answer
}

fn statement(question: Uuid, disposition: DealerDisposition) -> DealerStatement {
    DealerStatement {
        schema: "microstamp.dealer-statement/1".to_owned(),
        question,
        by: "clerk 7".parse().unwrap(),
        disposition,
    }
}

fn sale(on: &str) -> DealerDisposition {
    DealerDisposition::RetailSale { on: on.parse().unwrap(), form_4473: "2024-0999".parse().unwrap() }
}

fn stolen(on: &str) -> DealerDisposition {
    DealerDisposition::Lost {
        on: on.parse().unwrap(),
        how: LossKind::Theft,
        incident: "I-77".parse().unwrap(),
        police_report: None,
    }
}

fn says(answer: &Answer, what: &str) -> bool {
    answer.statement.iter().any(|line| line.contains(what))
}

/// The questions that wait for a dealer.
async fn waiting(dealer: &Dealer, issuer: &NodeCard) -> Vec<Value> {
    let list = dealer.open_questions(issuer).await.unwrap();
    list["open"].as_array().unwrap().iter().map(|one| one["question"].clone()).collect()
}

fn corner_guns() -> Licensee {
    Licensee::new(DEALER, "Corner Guns (synthetic)").unwrap()
}

/// Writes an entry with one of the books' own commands, beside the running node.
async fn enter(world: &World, event: Event, on: &str) {
    let books = Books::open(&world.path("issuer"), world.clock.now()).await.unwrap();
    let firearm = FirearmKey {
        licence: MAKER.parse().unwrap(),
        model: "M9".parse().unwrap(),
        serial: "AB10003".parse().unwrap(),
    };
    let entry = NewEntry { firearm, event, on: on.parse().unwrap(), description: None };
    books.record(&entry, &"clerk".parse().unwrap(), world.clock.now()).await.unwrap();
    books.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stated_sale_is_worded_like_any_other_and_closes_all_that_wait_for_it() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let (issuer, dealer) = (world.node("issuer").card(), world.dealer());
    let (first, _) = asked(&agency, world.codes[2]).await;
    let mut early = question(&[(world.codes[2], 0.99999)]);
    early.recovered_on = Some("2024-03-01".parse().unwrap());
    agency.ask(&early).await.unwrap().remove(0).unwrap();
    assert_eq!(waiting(&dealer, &issuer).await.len(), 2);
    dealer.state(&issuer, &statement(first.id, sale("2024-05-05"))).await.unwrap();
    assert_eq!(waiting(&dealer, &issuer).await, [Value::Null; 0], "both waited for the same");
    until("nothing is open", async || world.metrics("issuer").await.contains("microstamp_pending_open 0"))
        .await;
    let answer = again(&agency, &issuer, &first).await;
    assert_eq!((answer.outcome, &answer.pending), (OutcomeName::Found, &None));
    let buyer = "The first retail purchaser is not thereby a suspect.";
    for must in ["time to crime: 331 days", buyer, "under its own signature"] {
        assert!(says(&answer, must), "{must}: {:?}", answer.statement);
    }
    assert!(!says(&answer, "2024-0999"), "{:?}", answer.statement);
    let firearm = answer.firearm.unwrap();
    assert_eq!(firearm.chain.last().unwrap().role, Role::Retailer);
    assert_eq!(firearm.end["stated_by"], "dealer");
    // On the day of the other case the dealer had it: of its buyer nothing is said.
    let answer = again(&agency, &issuer, &early).await;
    assert_eq!((answer.outcome, &answer.pending), (OutcomeName::ChainEnds, &None));
    assert!(says(&answer, "lies before the first retail sale"), "{:?}", answer.statement);
    assert!(!says(&answer, buyer) && !says(&answer, "2024-0999"), "{:?}", answer.statement);
    // Other commands write in the books beside the node as before.
    let to = Recipient::Form4473("B-78".parse().unwrap());
    let back = registry::Source::Public("R-1".parse().unwrap());
    enter(&world, Event::Acquired { holder: corner_guns(), source: back }, "2025-05-01").await;
    enter(&world, Event::Disposed { holder: corner_guns(), to }, "2025-06-01").await;
    // What was answered stays answered, word for word.
    assert_eq!(again(&agency, &issuer, &first).await, again(&agency, &issuer, &first).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_books_learned_is_told_when_the_answer_is_renewed() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let (issuer, dealer) = (world.node("issuer").card(), world.dealer());
    let (question, answer) = asked(&agency, world.codes[2]).await;
    assert!(answer.pending.is_some());
    assert_eq!(again(&agency, &issuer, &question).await, answer, "nothing new, so nothing is said anew");
    let loss = Loss {
        how: LossKind::Theft,
        incident: "I-5".parse().unwrap(),
        police_report: None,
        reported_by: None,
    };
    enter(&world, Event::Lost { holder: corner_guns(), loss }, "2024-02-10").await;
    for (day, why) in
        [("2024-06-01", "missing under incident I-5"), ("2024-02-05", "cannot report it missing")]
    {
        let refused = dealer.state(&issuer, &statement(question.id, sale(day))).await.unwrap_err();
        assert!(refused.contains(why), "{refused}");
    }
    let renewed = again(&agency, &issuer, &question).await;
    let report = crate::court::bundle_that_verifies(&world, &agency, question.id).await;
    assert_eq!(report.answer, renewed, "what was renewed is brought to court");
    assert_eq!((renewed.outcome, &renewed.pending), (OutcomeName::ChainEnds, &None));
    assert!(renewed.answered_at > answer.answered_at);
    assert!(says(&renewed, "theft reported by Corner Guns"), "{:?}", renewed.statement);
    assert!(says(&renewed, "time to crime is not given"), "{:?}", renewed.statement);
    assert_eq!(waiting(&dealer, &issuer).await, [Value::Null; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sale_that_the_registrar_enters_ends_the_wait() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let (issuer, dealer) = (world.node("issuer").card(), world.dealer());
    let (question, _) = asked(&agency, world.codes[2]).await;
    assert_eq!(waiting(&dealer, &issuer).await.len(), 1);
    let to = Recipient::Form4473("B-77".parse().unwrap());
    enter(&world, Event::Disposed { holder: corner_guns(), to }, "2024-03-01").await;
    assert_eq!(waiting(&dealer, &issuer).await, [Value::Null; 0], "the dealer is not asked any more");
    let renewed = again(&agency, &issuer, &question).await;
    assert_eq!((renewed.outcome, &renewed.pending), (OutcomeName::Found, &None));
    assert!(!says(&renewed, "under its own signature"), "{:?}", renewed.statement);
}

/// Enrols a second dealer; it can ask as soon as the issuer's node has the new version of the directory.
async fn second_dealer(world: &World, issuer: &NodeCard) -> Dealer {
    let mut made = node(&world.path("next"), NodeRole::Dealer, "next.example", "none");
    let keeper = world.node("directory");
    made.trust(&format!("{}/directory", keeper.config.url), &keeper.statements.verifier().to_string())
        .unwrap();
    let (valid_from, valid_until) = validity(world.clock.now(), 30);
    let card = DealerCard {
        node: made.card(),
        licence: NEXT.parse().unwrap(),
        sealing: made.sealing.clone(),
        valid_from,
        valid_until,
    };
    world.enrol_as(&made, &Enrolment::Dealer(Box::new(card)));
    let dealer = Dealer::open(&world.path("next"), world.clock.clone()).unwrap();
    until("the issuer knows the dealer", async || dealer.open_questions(issuer).await.is_ok()).await;
    dealer
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_transfer_the_next_dealer_is_asked() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let (issuer, dealer) = (world.node("issuer").card(), world.dealer());
    let next = second_dealer(&world, &issuer).await;
    let (question, _) = asked(&agency, world.codes[2]).await;
    let refused = next.state(&issuer, &statement(question.id, sale("2024-06-01"))).await.unwrap_err();
    assert!(refused.contains("no question waits for this dealer"), "{refused}");
    world.clock.set_offset(20 * 3_600);
    let transferred = DealerDisposition::Transferred {
        on: "2024-05-05".parse().unwrap(),
        to: "Second Guns (synthetic)".parse().unwrap(),
        licence: NEXT.parse().unwrap(),
    };
    dealer.state(&issuer, &statement(question.id, transferred)).await.unwrap();
    assert_eq!(waiting(&dealer, &issuer).await, [Value::Null; 0]);
    assert_eq!(waiting(&next, &issuer).await, [question.id.to_string()]);
    // It is remembered over a restart, and the clock of the next dealer began when it was named.
    world.restart("issuer").await;
    let mut open = Vec::new();
    until("the node has heard its witnesses", async || {
        let list = next.open_questions(&issuer).await;
        list.is_ok_and(|list| {
            open.clone_from(list["open"].as_array().unwrap());
            true
        })
    })
    .await;
    assert_eq!(open.len(), 1);
    let renewed = again(&agency, &issuer, &question).await;
    assert_eq!(renewed.outcome, OutcomeName::ChainEnds);
    let pending = renewed.pending.clone().unwrap();
    assert_eq!((pending.licence.as_str(), pending.can_answer), (NEXT, true));
    assert_eq!(open[0]["due"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap(), pending.due);
    assert!(pending.due.duration_since(renewed.answered_at) > jiff::SignedDuration::from_hours(23));
    let last = renewed.firearm.unwrap().chain.last().unwrap().clone();
    assert_eq!((last.licence.as_str(), last.from), (NEXT, Some("2024-05-05".parse().unwrap())));

    next.state(&issuer, &statement(question.id, sale("2024-06-01"))).await.unwrap();
    let renewed = again(&agency, &issuer, &question).await;
    assert_eq!((renewed.outcome, &renewed.pending), (OutcomeName::Found, &None));
    let chain = renewed.firearm.unwrap().chain;
    let roles: Vec<_> = chain.iter().map(|link| (link.licence.as_str(), link.role)).collect();
    assert_eq!(roles[1..], [(DEALER, Role::Distributor), (NEXT, Role::Retailer)]);
    // A new question hears both at once.
    assert_eq!(asked(&agency, world.codes[2]).await.1.outcome, OutcomeName::Found);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dealer_tells_of_a_theft_and_corrects_itself() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let (issuer, dealer) = (world.node("issuer").card(), world.dealer());
    let (question, _) = asked(&agency, world.codes[2]).await;
    let state = async |says| dealer.state(&issuer, &statement(question.id, says)).await;
    // Still there: the question has its answer, and the next one is asked again.
    state(DealerDisposition::InStock { on: "2024-07-01".parse().unwrap() }).await.unwrap();
    let renewed = again(&agency, &issuer, &question).await;
    assert_eq!((renewed.outcome, &renewed.pending), (OutcomeName::ChainEnds, &None));
    assert!(says(&renewed, "it was in its stock on 2024-07-01"), "{:?}", renewed.statement);
    let (other, answer) = asked(&agency, world.codes[2]).await;
    assert!(
        answer.pending.is_some() && says(&answer, "in its stock on 2024-07-01"),
        "{:?}",
        answer.statement
    );

    state(sale("2024-05-05")).await.unwrap();
    assert_eq!(again(&agency, &issuer, &other).await.outcome, OutcomeName::Found);
    state(stolen("2024-05-06")).await.unwrap();
    let (_, answer) = asked(&agency, world.codes[2]).await;
    assert_eq!((answer.outcome, &answer.pending), (OutcomeName::ChainEnds, &None));
    assert!(says(&answer, "theft reported by Corner Guns"), "{:?}", answer.statement);
    assert!(says(&answer, "incident I-77"), "{:?}", answer.statement);
    assert_eq!(answer.firearm.unwrap().time_to_crime, "suppressed-by-loss");
    // Its receipt was lost on the way: the same again gets the same.
    let [receipt, same] = [state(stolen("2024-05-06")).await, state(stolen("2024-05-06")).await];
    assert_eq!(receipt.unwrap(), same.unwrap());
    // Stated in error: it is there after all. What was said before stays in the books, and is not told.
    state(DealerDisposition::NoRecord {}).await.unwrap();
    let (_, answer) = asked(&agency, world.codes[2]).await;
    assert!(answer.pending.is_some() && says(&answer, "it is not in its book"), "{:?}", answer.statement);
    state(stolen("2024-05-06")).await.unwrap();
    let (_, answer) = asked(&agency, world.codes[2]).await;
    assert!(says(&answer, "incident I-77"), "said again after it was withdrawn: {:?}", answer.statement);

    world.stop("issuer").await;
    let books = Books::open(&world.path("issuer"), world.clock.now()).await.unwrap();
    assert!(books.reconcile().await.unwrap().agrees());
    books.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_was_cut_off_before_the_books_is_gone_on_with() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let (issuer, dealer) = (world.node("issuer").card(), world.dealer());
    let (question, answer) = asked(&agency, world.codes[2]).await;
    let statement = statement(question.id, sale("2024-05-05"));
    // Somebody else writes in the books: the statement is in the node's log, and nothing is acknowledged.
    let books_log = FolderStore::open(&world.path("issuer").join("log")).unwrap();
    assert!(dealer.state(&issuer, &statement).await.is_err());
    assert_eq!(again(&agency, &issuer, &question).await, answer);
    drop(books_log);
    let receipt = dealer.state(&issuer, &statement).await.unwrap();
    assert_eq!(again(&agency, &issuer, &question).await.outcome, OutcomeName::Found);
    assert_eq!(
        dealer.state(&issuer, &statement).await.unwrap(),
        receipt,
        "a receipt that was lost is given again"
    );
    world.stop("issuer").await;
    let mut entered = Vec::new();
    Ledger::records(&world.path("issuer").join("node"), |stored| {
        if stored.kind == "dealer-statement" {
            entered.push((stored.entered.index, stored.body["again"].as_u64()));
        }
    })
    .unwrap();
    let first = entered[0].0;
    assert_eq!(
        entered,
        [(first, None), (entered[1].0, Some(first))],
        "taken down once, and said that it came again"
    );
    assert_eq!(receipt["entry"][0]["index"], first);
}

/// The question for the reference after a chain, with another approver.
fn second_step(first: &Question) -> Question {
    let second_approver = "lt. example".parse().unwrap();
    let kind = server::api::QuestionKind::RetailReference { after: first.id, second_approver };
    Question { id: Uuid::now_v7(), kind, ..first.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reference_behind_a_loss_is_that_of_the_sale_that_was_approved() {
    let mut world = World::start().await;
    let agency = world.agency().await;
    let (early, answer) = asked(&agency, world.codes[2]).await;
    assert_eq!(answer.firearm.unwrap().end["end"], "with-licensee");
    // Nobody approved that the reference of another dealer's sale is told; its buyer lost the firearm since.
    let other = Licensee::new(NEXT, "Second Guns (synthetic)").unwrap();
    let sold = |to| Event::Disposed { holder: corner_guns(), to };
    enter(&world, sold(Recipient::Licensee(other.clone())), "2024-05-01").await;
    let to = Recipient::Form4473("2024-0999".parse().unwrap());
    enter(&world, Event::Disposed { holder: other.clone(), to }, "2024-06-01").await;
    let loss = Loss {
        how: LossKind::Theft,
        incident: "I-78".parse().unwrap(),
        police_report: None,
        reported_by: Some("City Police (synthetic)".parse().unwrap()),
    };
    enter(&world, Event::Lost { holder: other, loss }, "2024-07-01").await;
    let told = agency.ask(&second_step(&early)).await.unwrap().remove(0).unwrap().answer;
    assert_eq!((told.outcome, told.firearm), (OutcomeName::NotAuthorised, None));
    // After a chain that ends in that loss it is told, where it belongs.
    let (chain, answer) = asked(&agency, world.codes[2]).await;
    let firearm = answer.firearm.unwrap();
    assert_eq!((firearm.form_4473(), firearm.reference_withheld), (None, true));
    let told = agency.ask(&second_step(&chain)).await.unwrap().remove(0).unwrap().answer;
    let firearm = told.firearm.unwrap();
    assert_eq!(firearm.first_sale.unwrap().form_4473.unwrap().as_str(), "2024-0999");
}
